"""Single frames: voxels and pixels that see the same point, whatever the augmentation."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sem3d.config import override
from sem3d.datasets.augment_points import PointAugmentation
from sem3d.datasets.augment_window import Window, WindowAugmentation, whole_window
from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.frames import read_label, resize_label
from sem3d.datasets.single_frames import CollateFrames, SingleFrames, frame_samples, sampled_pairs
from sem3d.datasets.view import read_view
from sem3d.errors import BadSample

STILL = PointAugmentation(scale=0.0, turn=0.0, tilt=0.0, elastic_probability=0.0)


@pytest.fixture
def config(rooms):
    small = {"prepare.stride": 1, "height": 48, "width": 64, "matches": 100, "voxel_size": 0.1}
    return override(SingleFrames(root=str(rooms)), small)


@pytest.fixture
def samples(config, tmp_path):
    return frame_samples(config, str(tmp_path), seed=0)


def loaded(samples, number=0, seed=0, **changes):
    """One frame; ``changes`` are settings of the data."""
    load = replace(samples.load, config=replace(samples.load.config, **changes))
    return load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def points_of_pixels(samples, number=0):
    """World points of all pixels around their mean, and which have depth, by loops over the definition."""
    config, load = samples.load.config, samples.load
    view = read_view(load.root, samples.table.slice(number, 1).to_pylist()[0], (config.height, config.width))
    points = np.full((config.height, config.width, 3), np.nan)
    for v, u in np.argwhere(view.depth > 0):
        x = (u - view.intrinsics[0, 2]) / view.intrinsics[0, 0]
        y = (v - view.intrinsics[1, 2]) / view.intrinsics[1, 1]
        camera = np.array([x, y, 1.0, 0.0]) * view.depth[v, u] + np.array([0, 0, 0, 1.0])
        points[v, u] = (view.world_from_camera @ camera)[:3]
    return points - np.nanmean(points.reshape(-1, 3), axis=0)


def test_the_voxel_of_a_pair_holds_the_point_of_its_pixel(samples):
    frame, points = loaded(samples["val"]), points_of_pixels(samples["val"])
    u, v = frame["pair_pixel"].T
    assert_array_equal(np.floor(points[v, u] / 0.1).astype(int), frame["voxel"][frame["pair_voxel"]])
    occupied = {tuple(voxel) for voxel in np.floor(points[np.isfinite(points[..., 0])] / 0.1).astype(int)}
    assert {tuple(voxel) for voxel in frame["voxel"]} == occupied
    assert len(frame["voxel"]) == len(occupied)
    assert len(set(frame["pair_voxel"])) == 100


def test_a_voxel_has_the_colour_of_its_pixel_also_in_a_mirrored_window(samples):
    for mirror in (0.0, 1.0):
        frame = loaded(samples["train"], window=WindowAugmentation(mirror_probability=mirror, resize=0.0), points=STILL)
        u, v = frame["pair_pixel"].T
        assert_array_equal(frame["image"][:, v, u].T, frame["voxel_color"][frame["pair_voxel"]])


def test_pairs_follow_a_resized_window(samples):
    still = {"points": STILL, "voxel_size": 0.02}
    differences = []
    for seed in range(4):
        frame = loaded(samples["train"], 0, seed, window=WindowAugmentation(resize=0.3), **still)
        u, v = frame["pair_pixel"].T
        colours = frame["image"][:, v, u].T.astype(int)
        differences.append(np.abs(colours - frame["voxel_color"][frame["pair_voxel"]]).mean())
        wrong = np.abs(colours - frame["voxel_color"][np.roll(frame["pair_voxel"], 7)]).mean()
        assert differences[-1] < wrong / 3


def test_the_same_generator_gives_the_same_frame_and_another_a_different_one(samples):
    first, again, other = (loaded(samples["train"], seed=seed) for seed in (1, 1, 2))
    for name in first:
        assert_array_equal(first[name], again[name])
    assert len(first["voxel"]) != len(other["voxel"])


def test_held_out_frames_and_labelled_ones_are_not_augmented(samples, config, tmp_path):
    assert not samples["val"].load.augment
    assert samples["train"].load.augment
    labelled = frame_samples(config, str(tmp_path), 0, labels=True)["train"]
    frame = loaded(labelled)
    row = labelled.table.slice(0, 1).to_pylist()[0]
    label = SCANNET.numbers(resize_label(read_label(labelled.load.root, row), (48, 64)), "frame")
    u, v = frame["pair_pixel"].T
    assert_array_equal(frame["pair_label"], label[v, u])
    assert frame["pair_label"].any()


def test_a_frame_without_depth_is_named(samples, monkeypatch):
    monkeypatch.setattr("sem3d.datasets.view.read_depth", lambda root, row: np.zeros((60, 80), np.float32))
    row = samples["train"].table.slice(0, 1).to_pylist()[0]
    with pytest.raises(BadSample, match="depth is blank") as fault:
        samples["train"].load(row, np.random.default_rng(0))
    assert fault.value.source == row["depth"]


def test_points_too_far_apart_for_voxels_are_named(samples):
    with pytest.raises(BadSample, match="voxel") as fault:
        loaded(samples["train"], voxel_size=1e-9)
    assert fault.value.source == samples["train"].table["depth"][0].as_py()


def test_a_window_that_shows_no_point_has_no_pair():
    pixels = np.array([[0, 0], [5, 7]])
    rows, pairs = sampled_pairs(pixels, Window((8, 8), (8, 8), (8, 0), False), 4, np.random.default_rng(0))
    assert pairs["pair_valid"] == 0
    assert_array_equal(rows, [0] * 4)
    assert sampled_pairs(pixels, whole_window((8, 8)), 4, np.random.default_rng(0))[1]["pair_valid"] == 1


def test_rows_of_voxels_are_moved_along_past_a_frame_that_cannot_be_used(samples, config):
    frames = [loaded(samples["val"], number) for number in (0, 1)]
    columns = CollateFrames(config)([frames[0], None, frames[1]])
    assert_array_equal(np.unique(columns["voxel"][:, 0]), [0, 2])
    for place, frame in ((0, frames[0]), (2, frames[1])):
        rows = columns["voxel"][columns["pair_voxel"][place]]
        assert (rows[:, 0] == place).all()
        assert_array_equal(rows[:, 1:], frame["voxel"][frame["pair_voxel"]])
    assert_array_equal(columns["usable"], [1, 0, 1])
    assert_array_equal(columns["pair_valid"], [1, 0, 1])
    assert not columns["image"][1].any()


def test_shares_are_nested(config, tmp_path):
    names = []
    for share in (0.25, 0.5, 1.0):
        table = frame_samples(replace(config, share=share), str(tmp_path), 0)["train"].table
        names.append(set(zip(table["scene"].to_pylist(), table["frame"].to_pylist(), strict=True)))
    assert names[0] < names[1] < names[2]
