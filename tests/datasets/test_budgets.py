"""Label budgets: exact, nested, and the official lists."""

from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.budgets import OFFICIAL_PERCENT, label_budget, official_budget, point_budget, scene_budget
from sem3d.errors import UserError

IDS = [f"scene{n:04d}/{m}" for n in range(40) for m in range(5)]


def test_budgets_of_one_seed_are_nested_and_exact():
    smaller = np.zeros(len(IDS), bool)
    for fraction in (0.001, 0.05, 0.1, 0.33, 1.0):
        mask = label_budget(IDS, fraction, seed=3)
        assert mask.sum() == max(1, round(fraction * len(IDS)))
        assert (mask | ~smaller).all()
        smaller = mask
    assert smaller.all()


def test_budget_does_not_depend_on_the_order_of_samples():
    mask = label_budget(IDS, 0.1, seed=0)
    backwards = label_budget(IDS[::-1], 0.1, seed=0)
    np.testing.assert_array_equal(mask, backwards[::-1])
    assert (mask != label_budget(IDS, 0.1, seed=1)).any()


def test_scene_budget_takes_scenes_whole():
    scenes = [name.partition("/")[0] for name in IDS]
    mask = scene_budget(scenes, 0.25, seed=0)
    assert mask.sum() == 50
    assert {scene for scene, keep in zip(scenes, mask, strict=True) if keep}.isdisjoint(
        scene for scene, keep in zip(scenes, mask, strict=True) if not keep
    )


def test_points_of_a_scene_are_nested_exact_and_its_own():
    chosen = [set(point_budget("scene0000_00", 1000, number, seed=3).tolist()) for number in (20, 50, 100, 200)]
    assert [len(one) for one in chosen] == [20, 50, 100, 200]
    assert chosen[0] < chosen[1] < chosen[2] < chosen[3] <= set(range(1000))
    assert chosen[0] != set(point_budget("scene0001_00", 1000, 20, seed=3).tolist())
    assert chosen[0] != set(point_budget("scene0000_00", 1000, 20, seed=4).tolist())
    assert point_budget("scene0000_00", 7, 20, seed=3).tolist() == list(range(7))


def test_empty_and_absurd_budgets():
    assert label_budget([], 0.5, 0).shape == (0,)
    assert label_budget(["a", "a", "a", "a"], 0.5, 0).sum() == 2
    for fraction in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(UserError, match="fraction"):
            label_budget(IDS, fraction, 0)


def test_official_lists_have_their_known_sizes(shared_data: Path):
    folder = shared_data / "scannet_meta"
    scenes = (folder / "scannetv2_train.txt").read_text().split()
    sizes = [
        int(official_budget(folder / f"scannetv2_train_{percent}.txt", scenes).sum()) for percent in OFFICIAL_PERCENT
    ]
    assert sizes == [18, 63, 110, 235, 479, 720, 961]


def test_list_that_is_missing_or_names_none_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no list"):
        official_budget(tmp_path / "none.txt", IDS)
    (tmp_path / "list.txt").write_text("scene9999\n")
    with pytest.raises(UserError, match="none of the 200"):
        official_budget(tmp_path / "list.txt", IDS)


def test_a_list_has_a_name_a_line_and_what_is_not_there_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    scenes = ["living room", "living", "part1-scene0000_00", "scene0001_00"]
    path = tmp_path / "list.txt"
    path.write_text(" living room\n\nscene0000_00 \nscene0007_00\n")
    assert official_budget(path, scenes).tolist() == [True, False, True, False]
    assert caplog.messages == [f"{path}: 1 of its 3 names (scene0007_00) are no scene to train on"]
    path.write_text("scene0001_00\nliving")
    assert official_budget(path, scenes).tolist() == [False, True, False, True]
    assert len(caplog.messages) == 1
    path.write_text("scene0001_00 living\n")
    with pytest.raises(UserError, match="names 1 scenes, none of the 4"):
        official_budget(path, scenes)
