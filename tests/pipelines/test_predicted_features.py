"""Features of the points of a file: the numbers are the network's, and the cloud and its page are in colours of them."""

import base64
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from jobs import predict
from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.evaluation.figures import pca_features
from sem3d.networks.sparse_unet import voxel_tensor
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_checkpoint
from tests.reference import voxels as reference

POINTS = np.random.default_rng(0).uniform((0, 0, 0), (4, 3, 2), (3000, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (3000, 3), dtype=np.uint8)
FACES = np.array([[0, 1, 2], [3, 4, 2999]], np.int32)


def predicted(name, folder, given, monkeypatch, capsys, out="found.npz"):
    checkpoint, method = tiny_checkpoint(name, folder)
    words = ["--run", checkpoint, "--cloud", folder / given, "--out", folder / out, "--storage", folder]
    words += ["--tracking-uri", "http://127.0.0.1:9", "--run.device", "cpu"]
    return *outcome(predict.main, monkeypatch, capsys, name, *words), method


def shown_and_written(folder):
    """The colours on the page, the file's own there, and points, colours and faces of the written cloud."""
    page = (folder / "found.html").read_text()
    held = {key: base64.b64decode(text) for key, text in re.findall(r'data-(\w+)="([^"]*)"', page)}
    points, colors, labels, faces = read_scene_mesh(folder / "found.ply")
    assert labels is None
    return held, points, colors, faces


@pytest.mark.parametrize("name", ["ppkt", "pointcontrast", "ppkt_pointcontrast"])
def test_points_have_the_features_of_their_voxels(name, monkeypatch, capsys, tmp_path):
    write_ply(tmp_path / "room.ply", labelled_rows(POINTS, COLORS, np.zeros(3000, np.uint8)), FACES)
    code, said, error, method = predicted(name, tmp_path, "room.ply", monkeypatch, capsys)
    assert code == 0, error
    centred = POINTS - POINTS.astype(np.float64).mean(axis=0)
    voxel, first, rows = np.unique(
        reference.voxel_indices(centred, 0.2), axis=0, return_index=True, return_inverse=True
    )
    led = torch.tensor(np.pad(voxel, ((0, 0), (1, 0))), dtype=torch.int32)
    with torch.no_grad():
        given = voxel_tensor(led, torch.tensor(COLORS[first]), method.experiment.method.voxel_input, torch.float32)
        features = method.get_submodule("sparse_unet")(given).numpy()
    found = np.load(tmp_path / "found.npz")["feature"]
    assert_allclose(found, features[rows.reshape(-1)], rtol=1e-4, atol=1e-4)
    assert f"found.npz (3000 points, {found.shape[1]} dimensions)" in said
    held, points, colors, faces = shown_and_written(tmp_path)
    assert_array_equal(points, POINTS)
    assert_array_equal(faces, FACES)
    assert held["painted"] == colors.tobytes()
    assert held["own"] == COLORS.tobytes()
    alike = pca_features([features.T[:, None]])[0][0][rows.reshape(-1)]
    assert (np.abs(colors.astype(int) - alike) <= 2).mean() > 0.99
    assert len(np.unique(colors, axis=0)) > 50


def test_a_cloud_of_an_object_is_embedded_in_a_box_of_side_1(monkeypatch, capsys, tmp_path):
    cloud = POINTS[:500] * 20 + 7
    rows = "\n".join(f"{x} {y} {z}" for x, y, z in cloud.tolist())
    header = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 500\nHEIGHT 1\nPOINTS 500\nDATA ascii\n"
    (tmp_path / "chair.pcd").write_text(f"VERSION .7\n{header}{rows}\n")
    code, _, error, method = predicted("keypoint_embedding", tmp_path, "chair.pcd", monkeypatch, capsys)
    assert code == 0, error
    low, high = cloud.min(axis=0), cloud.max(axis=0)
    with torch.no_grad():
        features = method.embedding(torch.tensor((cloud - (low + high) / 2) / (high - low).max())[None])[0].numpy()
    assert_allclose(np.load(tmp_path / "found.npz")["feature"], features, rtol=1e-4, atol=1e-5)
    held, points, colors, _ = shown_and_written(tmp_path)
    assert_allclose(points, cloud, rtol=1e-6)
    assert held["painted"] == colors.tobytes()
    places = np.frombuffer(held["places"], "<f4").reshape(-1, 3)
    assert_allclose(np.ptp(places, axis=0), np.ptp(cloud, axis=0)[[0, 2, 1]] / (high - low).max(), rtol=1e-5)


@pytest.mark.parametrize("name", ["ppkt", "keypoint_embedding"])
def test_the_cloud_itself_is_not_written_over(name, monkeypatch, capsys, tmp_path):
    write_ply(tmp_path / "found.ply", labelled_rows(POINTS, COLORS, np.zeros(3000, np.uint8)), FACES)
    before = (tmp_path / "found.ply").read_bytes()
    code, _, error, _ = predicted(name, tmp_path, "found.ply", monkeypatch, capsys)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "is the cloud itself" in error
    assert (tmp_path / "found.ply").read_bytes() == before
