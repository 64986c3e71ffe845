"""Boxes of a cloud: as JSON in the frame of the file, and on a page that draws them."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from jobs import predict
from sem3d.config import flatten
from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.geometry.boxes import edges, inside
from sem3d.methods.tasks.object_detection_3d import ObjectDetection3D
from sem3d.runs.checkpoint_files import write_checkpoint
from tests.jobs.outcome import outcome
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.reference import voxels as reference

NAME = "object_detection_3d"
POINTS = np.random.default_rng(0).uniform((0, 0, 0), (4, 3, 2), (3000, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (3000, 3), dtype=np.uint8)
FACES = np.array([[0, 1, 2]], np.int32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, ObjectDetection3D]:
    """The checkpoint of a run that sees all points, and its network."""
    folder = tmp_path_factory.mktemp("run")
    experiment = tiny_experiment(NAME, folder, folder, data__most_points=0, method__kept_boxes__overlap=1.0)
    method = build_tiny(NAME, experiment).eval()
    assert isinstance(method, ObjectDetection3D)
    settings = json.loads(json.dumps(flatten(experiment), default=str))
    state = {"step": 1, "method": NAME, "counters": {}, "experiment": settings, "metrics": {}}
    write_checkpoint(folder / "step-00000001", method.state_dict(), {}, state)
    return folder / "step-00000001", method


def predicted(checkpoint, monkeypatch, capsys, folder, points=POINTS, out="found.json"):
    write_ply(folder / "room.ply", labelled_rows(points, COLORS, np.zeros(len(points), np.uint8)), FACES)
    words = [NAME, "--run", checkpoint, "--cloud", folder / "room.ply", "--out", folder / out]
    words += ["--storage", folder, "--tracking-uri", "http://127.0.0.1:9"]
    return outcome(predict.main, monkeypatch, capsys, *words)


def test_boxes_are_the_networks_in_the_frame_of_the_file(trained, monkeypatch, capsys, tmp_path):
    checkpoint, method = trained
    points = POINTS + np.float32([7, -3, 0.5])
    code, said, _ = predicted(checkpoint, monkeypatch, capsys, tmp_path, points)
    found = json.loads((tmp_path / "found.json").read_text())
    assert code == 0
    assert f"found.json ({len(found['boxes'])} boxes" in said
    assert said.startswith("finding the boxes of 3000 points\n")
    assert found["classes"] == list(method.classes.names)
    # every voxel is one of the network's own, and the answers are those of its batch
    middle = points.mean(axis=0, dtype=np.float64)
    order = np.random.default_rng(0).permutation(3000)
    centred = points[order] - middle
    voxel, first = np.unique(reference.voxel_indices(centred, 0.2), axis=0, return_index=True)
    seen = []
    monkeypatch.setattr(method, "found", lambda batch: seen.append(batch) or ObjectDetection3D.found(method, batch))
    monkeypatch.setattr("sem3d.pipelines.trained_run.TrainedRun.build", lambda *_, **__: method)
    predicted(checkpoint, monkeypatch, capsys, tmp_path, points)
    (batch,) = seen
    assert {tuple(row) for row in batch.voxel[:, 1:].tolist()} == {tuple(row) for row in voxel.tolist()}
    assert_allclose(sorted(batch.voxel_point[:, 0].tolist()), sorted(centred[first, 0]), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        (record,) = method.evaluate(batch).records
    assert len(record["boxes"]) > 3
    shift = np.array([*middle, 0, 0, 0, 0])
    listed = [[*box["center"], *box["size"], box["heading"]] for box in found["boxes"]]
    assert_allclose(listed, record["boxes"] + shift, atol=1e-3)
    best = record["scores"].argmax(1)
    assert [box["class"] for box in found["boxes"]] == [method.classes.names[number] for number in best]
    assert_allclose([box["score"] for box in found["boxes"]], record["scores"].max(1), atol=1e-4)


def test_the_page_draws_likely_boxes_and_paints_what_they_hold(trained, monkeypatch, capsys, tmp_path):
    assert predicted(trained[0], monkeypatch, capsys, tmp_path)[0] == 0
    listed = json.loads((tmp_path / "found.json").read_text())["boxes"]
    boxes = np.array([[*box["center"], *box["size"], box["heading"]] for box in listed if box["objectness"] >= 0.5])
    page = (tmp_path / "found.html").read_text()
    held = {name: base64.b64decode(text) for name, text in re.findall(r'data-(\w+)="([^"]*)"', page)}
    low, high = POINTS.min(0), POINTS.max(0)
    lines = (edges(boxes).reshape(-1, 3) - (low + high) / 2) / (high - low).max()
    assert_allclose(np.frombuffer(held["edges"], "<f4").reshape(-1, 3), lines, atol=1e-3)
    assert len(held["edged"]) == 24 * 3 * len(boxes) > 0
    painted = np.frombuffer(held["painted"], np.uint8).reshape(-1, 3)
    free = ~np.any([inside(POINTS, box * np.array([1, 1, 1, 1.01, 1.01, 1.01, 1])) for box in boxes], axis=0)
    assert_array_equal(np.unique(painted[free], axis=0), [[110, 110, 110]] if free.any() else np.zeros((0, 3)))
    assert len(np.unique(painted, axis=0)) > 1


def test_another_ending_is_refused(trained, monkeypatch, capsys, tmp_path):
    code, _, errors = predicted(trained[0], monkeypatch, capsys, tmp_path, out="found.ply")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "must end in .json" in errors
