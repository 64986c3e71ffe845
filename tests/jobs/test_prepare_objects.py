"""The verbs for single objects, without Ray: what they print, and that mistakes are one line."""

import numpy as np
import pytest

from jobs import prepare
from tests.jobs.outcome import outcome as outcome_of


def outcome(monkeypatch, capsys, *arguments):
    """What jobs.prepare answers."""
    return outcome_of(prepare.main, monkeypatch, capsys, *arguments)


@pytest.fixture
def renders(tmp_path):
    root = tmp_path / "nmr"
    root.mkdir()
    images = np.zeros((2, 24, 4, 64, 64), np.uint8)
    images[..., 16:48, 16:48] = 255
    images[1, 3, 3] = 0
    np.savez_compressed(root / "02958343_train_images.npz", images)
    voxels = np.zeros((2, 32, 32, 32), bool)
    voxels[:, 8:24, 8:24, 8:24] = True
    np.savez_compressed(root / "02958343_train_voxels.npz", voxels)
    return root


def test_shapes_are_generated_and_checked_by_the_render_verb(monkeypatch, capsys, tmp_path):
    made = tmp_path / "made"
    arguments = ("shapes", "--out", made, "--kinds", "chair", "lamp", "--objects", 2, "--no-render")
    code, text, error = outcome(monkeypatch, capsys, *arguments)
    assert (code, error) == (0, "")
    assert "chair 03001627, lamp 03636649" in text
    code, text, error = outcome(monkeypatch, capsys, "shapenet_renders", made / "meshes", "--check")
    assert (code, error) == (0, "")
    assert "meshes      4" in text
    assert "quarantine  0\nnotes       0" in text


def test_renders_are_indexed_and_unusable_views_counted(monkeypatch, capsys, renders, tmp_path):
    storage = ("--storage", tmp_path / "runs")
    code, text, _ = outcome(monkeypatch, capsys, "shapenet_renders_index", renders, *storage, "--check")
    assert code == 0
    assert "1 empty mask" in text
    assert not (tmp_path / "runs").exists()
    code, text, _ = outcome(monkeypatch, capsys, "shapenet_renders_index", renders, *storage)
    assert code == 0
    assert "car         2 objects (train 2)" in text
    assert "views       47" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shapenet_renders", "/no/such/folder", "--check"], "no data folder /no/such/folder"),
        (["shapenet_renders", "/no/such/folder"], "--out"),
        (["shapenet_renders_index", "/no/such/folder"], "no data folder /no/such/folder"),
        (["shapes", "--out", "/tmp/never", "--kinds", "boat"], "no shape family 'boat'"),
        (["shapes"], "--out"),
    ],
)
def test_a_wrong_command_is_one_line(arguments, words, monkeypatch, capsys):
    code, _, error = outcome(monkeypatch, capsys, *arguments)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
