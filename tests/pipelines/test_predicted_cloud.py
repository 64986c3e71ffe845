"""A labelled cloud: the file's points with their classes, painted, and a page that holds them."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import save_file

from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.datasets.scans.labels import NYU40_IDS, class_palette
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.errors import UserError
from sem3d.pipelines.options import CloudPredictionOptions
from sem3d.pipelines.predicted_cloud import predict_cloud
from sem3d.pipelines.trained_run import TrainedRun
from tests.methods.tiny import build_tiny, tiny_experiment

POINTS = np.random.default_rng(0).uniform((0, 0, 0), (4, 3, 2), (500, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (500, 3), dtype=np.uint8)
FACES = np.array([[0, 1, 2], [3, 4, 499]], np.int32)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose network finds class 5 where the first point's voxel is, and 2 elsewhere."""
    experiment = tiny_experiment("semantic_segmentation_3d", tmp_path, tmp_path, data__evaluation_turns=2)
    method = build_tiny("semantic_segmentation_3d", experiment).eval()

    def scores(batch):
        same = (batch.point_voxel[:, 0] == batch.point_voxel[0, 0]).long()
        return torch.eye(21)[2 + 3 * same]

    monkeypatch.setattr(method, "point_scores", scores)
    monkeypatch.setattr(TrainedRun, "build", lambda *given, **named: method)
    weights = tmp_path / "weights.safetensors"
    save_file(method.state_dict(), weights)
    monkeypatch.setattr(TrainedRun, "weights", weights)
    return TrainedRun(tmp_path, "semantic_segmentation_3d", experiment)


def options(tmp_path: Path, points=POINTS, out="found.ply") -> CloudPredictionOptions:
    cloud = tmp_path / "room.ply"
    write_ply(cloud, labelled_rows(points, COLORS[: len(points)], np.zeros(len(points), np.uint8)), FACES[:0])
    if len(points) == 500:
        write_ply(cloud, labelled_rows(points, COLORS, np.zeros(500, np.uint8)), FACES)
    return CloudPredictionOptions(
        cloud=str(cloud), out=str(tmp_path / out), run="run", storage=str(tmp_path), tracking_uri="http://127.0.0.1:9"
    )


def test_the_points_come_back_with_their_classes_in_a_ply_and_on_a_page(run, tmp_path):
    lines = predict_cloud(run, options(tmp_path)).lines
    assert lines[0].endswith("found.ply (500 points, 2 classes)")
    points, colors, labels, faces = read_scene_mesh(tmp_path / "found.ply")
    cells = np.floor((POINTS - POINTS.mean(axis=0, dtype=np.float64)) / 0.2)
    classes = np.where((cells == cells[0]).all(axis=1), 5, 2)
    assert_array_equal(points, POINTS)
    assert_array_equal(faces, FACES)
    assert_array_equal(labels, np.array(NYU40_IDS)[classes])
    assert_array_equal(colors, class_palette()[classes])
    page = (tmp_path / "found.html").read_text()
    held = {name: base64.b64decode(text) for name, text in re.findall(r'data-(\w+)="([^"]*)"', page)}
    places = np.frombuffer(held["places"], "<f4").reshape(-1, 3)
    assert_allclose(np.ptp(places, axis=0), np.ptp(POINTS, axis=0) / np.ptp(POINTS, axis=0).max(), rtol=1e-5)
    assert held["painted"] == class_palette()[classes].tobytes()
    assert held["own"] == COLORS.tobytes()
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)


@pytest.mark.parametrize(
    ("points", "out", "said"),
    [
        (1000 * POINTS, "found.ply", "its coordinates must be metres"),
        (POINTS[:0], "found.ply", "has no point"),
        (POINTS, "found.obj", "must end in .ply"),
    ],
)
def test_clouds_that_are_no_scene_and_endings_that_are_no_cloud_are_refused(run, tmp_path, points, out, said):
    with pytest.raises(UserError, match=said):
        predict_cloud(run, options(tmp_path, points, out))
    assert not list(tmp_path.glob("found.*"))


def test_a_file_that_is_no_ply_is_named(run, tmp_path):
    (tmp_path / "room.txt").write_text("room")
    with pytest.raises(UserError, match=r"room\.txt.*not a binary little-endian PLY file"):
        predict_cloud(run, CloudPredictionOptions(cloud=str(tmp_path / "room.txt"), out=str(tmp_path / "found.ply")))
