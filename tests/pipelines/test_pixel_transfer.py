"""The 2D baseline end to end on small photographs, by the command."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from jobs.evaluate import evaluate_without_run
from sem3d.errors import UserError
from sem3d.pipelines.pixel_transfer import unwarped, warped
from tests.datasets.photos.official_photos import write_spair

KEYPOINTS = np.array([[43.5, 59.5, 75.5], [27.5, 35.5, 59.5]])
"""u, then v, of places that are searched in either photograph."""
SHIFT = 32
SMALL = ["--side", "96", "--step", "8", "--strides", "4", "8", "--alphas", "0.1"]


def write_shifted(root: Path) -> None:
    """Two photographs of one picture of blocks, the second moved to the right."""
    blocks = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    folder = root / "duck(S)"
    folder.mkdir(parents=True)
    for number, shift in enumerate((SHIFT, 0)):
        Image.fromarray(blocks[:, shift : shift + 96]).save(folder / f"{number}.png")
        savemat(folder / f"{number}.mat", {"pts_coord": KEYPOINTS - [[shift], [0]]})


def test_keypoints_of_a_moved_picture_are_found_by_both_ways(tmp_path: Path, capsys):
    write_shifted(tmp_path / "willow")
    given = ["--data.root", str(tmp_path / "willow"), "--run.storage", str(tmp_path), "--run.device", "cpu", *SMALL]
    evaluate_without_run("pixel_transfer", given)
    printed = capsys.readouterr().out
    assert "2 pairs of pf_willow" in printed
    shares = [float(share) for line in printed.splitlines() if line.startswith("duck(S)") for share in line.split()[2:]]
    assert min(shares) > 60, printed
    assert (tmp_path / "pixel_transfer" / "figures" / "transfer.png").is_file()


def test_the_keypoints_of_keypointnet_alone_are_scored_where_there_are_some(tmp_path: Path, capsys):
    write_spair(tmp_path / "spair")
    given = ["--data.root", str(tmp_path / "spair"), "--run.storage", str(tmp_path), "--weights", "scratch", *SMALL]
    evaluate_without_run("pixel_transfer", [*given, "--common"])
    assert "1 pairs of spair" in capsys.readouterr().out
    write_shifted(tmp_path / "willow")
    given[1] = str(tmp_path / "willow")
    with pytest.raises(UserError, match="no keypoint of these pairs is mapped"):
        evaluate_without_run("pixel_transfer", [*given, "--common"])


def test_pixels_come_back_from_the_square_and_corners_stay_corners():
    places = np.array([[-0.5, -0.5], [99.5, 49.5], [10.0, 20.0]])
    there = warped(places, (50, 100), 64)
    np.testing.assert_allclose(there[:2], [[-0.5, -0.5], [63.5, 63.5]])
    np.testing.assert_allclose(unwarped(there, (50, 100), 64), places)
