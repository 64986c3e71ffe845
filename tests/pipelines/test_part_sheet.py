"""The sheet of several runs' part labels on the same views."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.errors import UserError
from sem3d.pipelines.part_sheet import BesideOptions, labelled_views, part_sheet
from tests.pipelines.test_part_consistency import NAMES, always, run_of


@pytest.fixture
def runs(posed: Path, tmp_path: Path):
    """A run of each method; the first says 0 everywhere, the second 1, the third 2."""
    return [
        run_of(name, posed, tmp_path / name, always(name, number), data__size=8) for number, name in enumerate(NAMES)
    ]


def test_every_run_is_drawn_beside_the_truth_and_scored_on_the_same_views(runs):
    options = BesideOptions(run="r", beside=tuple(str(run.folder) for run in runs[1:]))
    outcome = part_sheet(runs[0], options)
    rows = outcome.tables[0].rows
    assert [row["labels of"] for row in rows] == ["parts", "unet", "autoencoder_parts"]
    assert len({row["views"] for row in rows}) == 1
    # of the 64 pixels 48 are background, 8 of each part: one class everywhere is right about its own share, of three classes
    assert [row["mIoU (%)"] for row in rows] == pytest.approx([100 * 48 / 64 / 3, 100 * 8 / 64 / 3, 100 * 8 / 64 / 3])
    for run, row in zip(runs, rows, strict=True):
        assert row["run"] == str(run.folder)
    for name in ("parts", "worst_parts"):
        assert outcome.pictures[name].shape[1] >= 5 * 160


def test_views_are_keyed_by_the_picture_that_is_labelled(runs):
    by_run = [labelled_views(run, 3) for run in runs]
    assert by_run[0].keys() == by_run[1].keys() == by_run[2].keys()
    for key in by_run[0]:
        np.testing.assert_array_equal(by_run[0][key].color, by_run[2][key].color)
        np.testing.assert_array_equal(by_run[1][key].truth, by_run[2][key].truth)
    assert (next(iter(by_run[1].values())).found == 1).all()


def test_runs_that_label_nothing_or_other_views_are_refused(runs, posed, tmp_path):
    colours = run_of("semantic_srn", posed, tmp_path / "colours", method__segmentation_layers=0, data__size=8)
    with pytest.raises(UserError, match="labels no parts"):
        part_sheet(runs[0], BesideOptions(run="r", beside=(str(colours.folder),)))
    other = run_of("semantic_srn_unet", posed, tmp_path / "other", data__size=4)
    with pytest.raises(UserError, match="different sizes"):
        part_sheet(runs[0], BesideOptions(run="r", beside=(str(other.folder),)))
