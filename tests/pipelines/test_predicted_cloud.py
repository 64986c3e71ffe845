"""A labelled cloud: the file's points with their classes, painted, and a page that holds them."""

import base64
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from jobs import predict
from sem3d.datasets.scans.class_lists import LABEL_SETS
from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.datasets.scans.labels import class_palette
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.datasets.scene_clouds import CollateClouds
from sem3d.methods.tasks.semantic_segmentation_3d import SemanticSegmentation3D
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_checkpoint
from tests.reference import voxels as reference

POINTS = np.random.default_rng(0).uniform((0, 0, 0), (4, 3, 2), (3000, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (3000, 3), dtype=np.uint8)
FACES = np.array([[0, 1, 2], [3, 4, 2999]], np.int32)
TURNS, CELL = 2, 0.2


@pytest.fixture(scope="module", params=["scannet", "s3dis"])
def trained(request, tmp_path_factory) -> tuple[Path, SemanticSegmentation3D]:
    """The checkpoint of a run of each list of classes, and its network."""
    folder = tmp_path_factory.mktemp("run")
    changes = {"data__evaluation_turns": TURNS, "data__voxel_size": CELL, "data__classes": request.param}
    checkpoint, method = tiny_checkpoint("semantic_segmentation_3d", folder, **changes)
    assert isinstance(method, SemanticSegmentation3D)
    return checkpoint, method


def naive_classes(method: SemanticSegmentation3D) -> np.ndarray:
    """The class with the largest mean probability over turns, each of which is a batch of its own."""
    centred = POINTS - POINTS.astype(np.float64).mean(axis=0)
    total = np.zeros((len(POINTS), len(method.names)))
    for turn in range(TURNS):
        cosine, sine = np.cos(2 * np.pi * turn / TURNS), np.sin(2 * np.pi * turn / TURNS)
        x, y, z = centred.T
        indices = reference.voxel_indices(np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=1), CELL)
        voxel, first, of_point = np.unique(indices, axis=0, return_index=True, return_inverse=True)
        item = {
            "voxel": voxel.astype(np.int32),
            "voxel_color": COLORS[first],
            "turn_voxels": np.array([len(voxel)]),
            "point_voxel": of_point.reshape(-1, 1).astype(np.int32),
            "point_label": np.zeros(len(POINTS), np.uint8),
            "scene": np.array(0),
        }
        columns = CollateClouds(1)([item])
        with torch.no_grad():
            batch = method.Batch(**{name: torch.from_numpy(value) for name, value in columns.items()})
            total += method.point_scores(batch).double().exp().numpy()
    return total.argmax(1)


def predicted(
    checkpoint, monkeypatch, capsys, tmp_path, points=POINTS, colors=COLORS, cloud="room.ply", out="found.ply"
):
    """What the command says of points that a file has; nothing is written where it refuses."""
    write_ply(tmp_path / cloud, labelled_rows(points, colors, np.zeros(len(points), np.uint8)), FACES[: len(points)])
    words = ["semantic_segmentation_3d", "--run", checkpoint, "--cloud", tmp_path / cloud, "--out", tmp_path / out]
    words += ["--storage", tmp_path, "--tracking-uri", "http://127.0.0.1:9"]
    return outcome(predict.main, monkeypatch, capsys, *words)


def test_the_points_come_back_with_their_classes_in_a_ply_and_on_a_page(trained, monkeypatch, capsys, tmp_path):
    checkpoint, method = trained
    code, said, _ = predicted(checkpoint, monkeypatch, capsys, tmp_path)
    classes = naive_classes(method)
    known = next(one for one in LABEL_SETS.values() if one.names == method.names)
    assert (code, len(np.unique(classes)) > 1) == (0, True)
    assert said.startswith("finding the classes of 3000 points, turned 2 times\n")
    assert f"found.ply (3000 points, {len(np.unique(classes))} classes)" in said
    points, colors, labels, faces = read_scene_mesh(tmp_path / "found.ply")
    assert_array_equal(points, POINTS)
    assert_array_equal(faces, FACES)
    assert_array_equal(labels, np.array(known.ids)[classes])
    assert_array_equal(colors, class_palette()[classes])
    page = (tmp_path / "found.html").read_text()
    held = {name: base64.b64decode(text) for name, text in re.findall(r'data-(\w+)="([^"]*)"', page)}
    places = np.frombuffer(held["places"], "<f4").reshape(-1, 3)
    assert_allclose(np.ptp(places, axis=0), np.ptp(POINTS, axis=0) / np.ptp(POINTS, axis=0).max(), rtol=1e-5)
    assert held["painted"] == class_palette()[classes].tobytes()
    assert held["own"] == COLORS.tobytes()
    assert all(known.names[number] in page for number in np.unique(classes))
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)


def test_a_name_that_is_no_text_is_a_title_all_the_same(trained, monkeypatch, capsys, tmp_path):
    code, _, errors = predicted(trained[0], monkeypatch, capsys, tmp_path, cloud=os.fsdecode(b"r\xe9um.ply"))
    assert (code, errors) == (0, "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"points": 100 * POINTS}, "are they in centimetres or inches"),
        ({"points": POINTS / 1000}, "give its vertices in metres"),
        ({"points": POINTS + np.float32([0, 5e6, 0])}, "points outside"),
        ({"points": POINTS[:0], "colors": COLORS[:0]}, "has no point"),
        ({"colors": COLORS % 2}, "none is above 1 of 255"),
        ({"out": "found.obj"}, "must end in .ply"),
        ({"out": "room.ply"}, "is the cloud itself"),
    ],
)
def test_clouds_that_are_no_scene_and_wrong_endings_are_refused(trained, changed, said, monkeypatch, capsys, tmp_path):
    code, _, errors = predicted(trained[0], monkeypatch, capsys, tmp_path, **changed)
    assert code == 2
    assert said in errors
    assert len(errors.splitlines()) == 1
    assert not list(tmp_path.glob("found.*"))


def test_a_file_that_is_no_ply_is_named(trained, monkeypatch, capsys, tmp_path):
    (tmp_path / "room.txt").write_text("room")
    words = ["semantic_segmentation_3d", "--run", trained[0], "--cloud", tmp_path / "room.txt", "--out", "found.ply"]
    code, _, errors = outcome(predict.main, monkeypatch, capsys, *words)
    assert code == 2
    assert re.search(r"room\.txt.*not a binary little-endian PLY file", errors)
