"""The pipeline on real photographs by tiny untrained networks: what they find means nothing, that the command works does."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import predict
from sem3d.pipelines.pixel_semantics.squares import cut_square
from tests.jobs.outcome import outcome


@pytest.fixture(autouse=True)
def whole_pictures(monkeypatch):
    """Untrained networks find no pixel of an object: here they take every pixel for it."""
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", -1e9)


@pytest.fixture
def words(runs, tmp_path):
    given = runs | {"run.device": "cpu", "run.storage": str(tmp_path / "storage"), "steps": "1", "points": "200"}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def masks_of(photos: Path) -> dict[Path, Path]:
    """Photographs, and the mask that lies beside each."""
    names = [path.name.removesuffix("rgb.png") for path in photos.glob("*/*rgb.png")]
    return {
        next(photos.glob(f"*/{name}rgb.png")): next(
            path for ending in ("mask", "silhouette") for path in photos.glob(f"*/{name}{ending}.png")
        )
        for name in names
    }


def test_real_photographs_are_cut_whole_without_a_mask_and_around_their_object_with_one(shared_data):
    found = masks_of(shared_data / "photos")
    assert len(found) >= 4
    for photo, mask in found.items():
        picture, white = np.asarray(Image.open(photo).convert("RGB")), np.asarray(Image.open(mask).convert("L")) >= 128
        cut, square = cut_square(photo, 2.4)
        height, width = white.shape
        assert square.side == max(height, width) == cut.width
        left, top = round(-square.left), round(-square.top)
        assert np.abs(np.asarray(cut)[top : top + height, left : left + width].astype(int) - picture).mean() < 1
        cut, square = cut_square(photo, 2.4, str(mask))
        rows, columns = (np.flatnonzero(white.any(axis)) for axis in (1, 0))
        assert square.left < columns[0]
        assert square.left + square.side > columns[-1]
        assert square.top < rows[0]
        assert square.top + square.side > rows[-1]
        assert (np.asarray(cut)[0, 0] == 255).all()


@pytest.mark.parametrize("masked", [False, True])
def test_the_command_draws_a_real_chair(masked, words, shared_data, tmp_path, monkeypatch, capsys):
    photo = shared_data / "photos" / "shapehd" / "0044_rgb.png"
    asked = [*words, "--image", str(photo), "--out", str(tmp_path / "chair.npz")]
    asked += ["--mask", str(photo.with_name("0044_mask.png"))] if masked else []
    code, told, error = outcome(predict.main, monkeypatch, capsys, "pixel_semantics", *asked)
    assert code == 0, error
    assert "in sight" in told
    content = json.loads((tmp_path / "chair.json").read_text())
    assert (content["square"]["side"] == 288) == (not masked)
    assert np.asarray(Image.open(tmp_path / "chair.png")).std() > 5
    assert (tmp_path / "chair.obj").stat().st_size > 100
