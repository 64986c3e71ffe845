from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.budgets import mask_budget
from sem3d.datasets.chosen_views import scored_places
from sem3d.datasets.posed_rays import over_white
from sem3d.datasets.posed_views import PosedViews, identities, instances, posed_view_sources
from sem3d.errors import UserError
from tests.datasets.objects.srn_folders import write_srn

SPLITS = {"train": 4, "val": 1, "test": 2}
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_srn(tmp_path_factory.mktemp("srn") / "data", SPLITS)


def opened(root: Path, **settings):
    config = PosedViews(root=str(root), **({"size": 8, "masks": 4, "mask_views": 2} | settings))
    return posed_view_sources(config, str(root.parent))


def rows(samples):
    return samples.table.to_pylist()


def test_whole_pictures_are_rays_in_raster_order_with_centres_at_half(root: Path):
    tested = opened(root)["tested"]
    assert tested.table.num_rows == 6
    loaded = tested.load(rows(tested)[3], RNG(0))
    assert loaded["pixels"].shape == (1, 64, 2)
    np.testing.assert_array_equal(loaded["pixels"][0, [0, 1, 8]], [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])
    expected = np.zeros((8, 8), int)
    expected[2:6, 2:4], expected[2:6, 4:6] = 1, 2
    np.testing.assert_array_equal(loaded["label"].reshape(8, 8), expected)
    np.testing.assert_array_equal(loaded["alpha"].reshape(8, 8), expected > 0)
    color = loaded["color"].reshape(8, 8, 3)
    np.testing.assert_array_equal(color[0, 0], [1, 1, 1])
    np.testing.assert_allclose(color[3, 3], np.array([40, 10, 100]) / 127.5 - 1, atol=1e-6)


def test_instances_take_turns_so_that_the_first_pictures_show_several(root: Path):
    assert opened(root)["tested"].table["instance"].to_pylist() == [0, 1, 0, 1, 0, 1]
    assert opened(root, evaluation_views=1)["seen"].table["instance"].to_pylist() == [0, 1, 2, 3]


def test_a_training_sample_is_some_rays_of_some_views_of_an_instance(root: Path):
    train = opened(root, views=2, rays=5)["train"]
    row = rows(train)[2]
    loaded = train.load(row, RNG(1))
    assert {name: value.shape for name, value in loaded.items()} == {
        "pixels": (2, 5, 2),
        "color": (2, 5, 3),
        "alpha": (2, 5),
        "label": (2, 5),
        "instance": (),
        "intrinsics": (3, 3),
        "world_from_camera": (2, 4, 4),
    }
    assert loaded["instance"] == 2
    assert not np.array_equal(train.load(row, RNG(2))["pixels"], loaded["pixels"])
    np.testing.assert_array_equal(train.load(row, RNG(1))["pixels"], loaded["pixels"])
    assert instances(train) == 4


def test_each_ray_has_the_colour_of_its_pixel(root: Path):
    train = opened(root, views=1, rays=20)["train"]
    loaded = train.load(rows(train)[1], RNG(3))
    column, row = (loaded["pixels"][0] - 0.5).astype(int).T
    inside = (column >= 2) & (column < 6) & (row >= 2) & (row < 6)
    np.testing.assert_array_equal(loaded["alpha"][0] > 0, inside)


def test_labels_of_training_views_are_known_where_the_budget_holds_the_mask(root: Path):
    sources = opened(root)
    masks = {row["name"]: row["labels"] for row in rows(sources["train"])}
    assert sum(bool(label) for labels in masks.values() for label in labels) == 4
    assert sources["labelled"].table.num_rows == 2
    for row in rows(sources["labelled"]):
        assert row["labels"] == [label for label in masks[row["name"]] if label]
    unlabelled = next(row for row in rows(sources["train"]) if not any(row["labels"]))
    assert (sources["train"].load(unlabelled, RNG(0))["label"] == -1).all()


def test_first_masks_are_those_of_the_release(root: Path):
    labelled = rows(opened(root, mask_order="first", masks=3)["labelled"])
    assert [(row["name"], len(row["labels"])) for row in labelled] == [("object0", 2), ("object1", 1)]
    assert labelled[0]["labels"] == ["train/object0/seg/000000.npy", "train/object0/seg/000001.npy"]


def test_zero_is_all_masks_and_too_many_are_refused(root: Path):
    assert sum(len(row["labels"]) for row in rows(opened(root, masks=0)["labelled"])) == 12
    with pytest.raises(UserError, match="9 masks were asked for, but with 2 of an instance there are 8"):
        opened(root, masks=9)


def test_new_instances_are_inferred_from_the_observed_views(root: Path):
    one = rows(opened(root, observation=4)["tested_observed"])
    assert [row["pictures"] for row in one] == [[f"test/object{k}/rgb/000001.png"] for k in (0, 1)]
    samples = opened(root, observed=2, views=3, rays=5)["tested_observed"]
    loaded = samples.load(rows(samples)[0], RNG(0))
    assert loaded["world_from_camera"].shape == (2, 4, 4)
    assert loaded["color"].shape == (2, 5, 3)


def test_few_scored_views_are_others_than_the_observed_ones(root: Path):
    shown = {
        (row["name"], row["pictures"][0][-5]) for row in rows(opened(root, evaluation_views=2, observation=1)["tested"])
    }
    assert shown == {(f"object{k}", view) for k in (0, 1) for view in "02"}
    assert opened(root, evaluation_views=0, observation=1)["tested"].table.num_rows == 6
    assert scored_places(32, 4, [9]) == [0, 8, 16, 24]
    assert scored_places(32, 4, [8]) == [0, 7, 16, 24]
    assert scored_places(3, 2, [0, 1, 2]) == [0, 1]
    assert scored_places(4, 9, [3]) == [0, 1, 2]


def test_an_object_is_told_from_any_other_and_known_again_elsewhere(root: Path, tmp_path: Path):
    known = identities(opened(root)["train"])
    assert len(set(known.tolist())) == 4
    again = write_srn(tmp_path / "again" / "data", SPLITS)
    np.testing.assert_array_equal(identities(opened(again)["train"]), known)
    other = write_srn(tmp_path / "other" / "data", SPLITS, side=12)
    assert not set(identities(opened(other)["train"]).tolist()) & set(known.tolist())


def test_an_unusable_row_is_of_no_instance_and_unlabelled(root: Path):
    train = opened(root, views=2, rays=5)["train"]
    good = train.load(rows(train)[0], RNG(0))
    columns = train.collate([good, None])
    assert columns["instance"].tolist() == [0, -1]
    assert (columns["label"][1] == -1).all()
    assert not columns["alpha"][1].any()
    assert {name: value.dtype for name, value in columns.items()} == {name: value.dtype for name, value in good.items()}
    assert all(np.isfinite(value).all() for value in columns.values())


def test_intrinsics_follow_the_size(root: Path):
    loaded = opened(root, size=4)["tested"]
    matrix = loaded.load(rows(loaded)[0], RNG(0))["intrinsics"]
    np.testing.assert_allclose(matrix, [[4 * 525 / 512, 0, 2], [0, 4 * 525 / 512, 2], [0, 0, 1]])


def test_colours_lie_over_white_by_their_opacity_or_as_released():
    pixels = np.array([[0, 0, 0, 255], [0, 0, 0, 51], [0, 0, 0, 0]], np.uint8)
    color, alpha = over_white(pixels, "white")
    np.testing.assert_allclose(color[:, 0], [-1, 0.6, 1], atol=1e-6)
    np.testing.assert_allclose(alpha, [1, 0.2, 0])
    np.testing.assert_allclose(over_white(pixels, "released")[0][:, 0], [-1, -1, 1])


def test_the_masks_of_the_first_ten_instances_show_every_class_and_smaller_budgets_are_part_of_larger_ones():
    rng = RNG(0)
    shown = {f"{k:03d}": [int(rng.choice([3, 5, 7, 9 if k % 25 == 0 else 3])) for _ in range(6)] for k in range(200)}
    everything = 15
    for seed in range(5):
        chosen = mask_budget(shown, 10, 3, seed)
        seen = 0
        for name, views in chosen.items():
            assert len(views) == 3
            for view in views:
                seen |= shown[name][view]
        assert seen == everything
        larger = mask_budget(shown, 40, 3, seed)
        assert {name: larger[name] for name in chosen} == chosen
        assert list(mask_budget(shown, 4, 3, seed)) == list(chosen)[:4]
    assert mask_budget(shown, 10, 3, 0) != mask_budget(shown, 10, 3, 1)


def test_a_class_of_one_instance_in_thousands_is_among_the_first_ten_all_the_same():
    shown = {f"{k:05d}": [3] * 3 for k in range(3000)} | {"rare": [1, 1, 5]}
    assert "rare" in mask_budget(shown, 10, 3, 0)
    with pytest.raises(UserError, match="no training instance has a mask"):
        mask_budget({"a": [0, 0]}, 10, 3, 0)
