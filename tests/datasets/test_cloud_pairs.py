"""Pairs of clouds: matched voxels show the same place, however the clouds are turned."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sem3d.config import override
from sem3d.datasets.cloud_pairs import CloudPairs, cloud_pair_samples
from sem3d.datasets.view import read_view
from sem3d.geometry.projection import transform, unproject_valid

VOXEL, RADIUS = 0.1, 1.5


@pytest.fixture
def samples(indexed_rooms, tmp_path):
    small = {"prepare.stride": 1, "height": 33, "width": 44, "matches": 50, "voxel_size": VOXEL, "evaluation_pairs": 5}
    return cloud_pair_samples(override(CloudPairs(root=str(indexed_rooms)), small), str(tmp_path), seed=0)


def loaded(samples, number=0, seed=0, **changes):
    load = replace(samples.load, config=replace(samples.load.config, **changes))
    return load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def world_points(samples, number=0):
    """Points of both frames of a pair in world axes, and their means."""
    load = samples.load
    (row,) = samples.table.slice(number, 1).to_pylist()
    points = []
    for role in ("anchor", "positive"):
        (frame,) = load.index.frames.slice(row[role], 1).to_pylist()
        view = read_view(load.index.root, frame, (33, 44))
        points.append(transform(view.world_from_camera, unproject_valid(view.depth, view.intrinsics)[0]))
    return points, [each.mean(axis=0) for each in points]


def test_matched_voxels_of_plain_clouds_hold_points_within_the_radius(samples):
    pair, (clouds, means) = loaded(samples["val"]), world_points(samples["val"])
    assert pair["match_valid"] == 1
    rows = pair["match_voxel"]
    assert_array_equal(pair["voxel"][rows, 0], np.tile([0, 1], (50, 1)))
    for anchor, positive in rows:
        near = []
        for row, points, mean in zip((anchor, positive), clouds, means, strict=True):
            inside = (np.floor((points - mean) / VOXEL) == pair["voxel"][row, 1:]).all(axis=1)
            assert inside.any()
            near.append(points[inside])
        apart = np.linalg.norm(near[0][:, None] - near[1][None], axis=2)
        assert apart.min() < RADIUS * VOXEL


def test_a_frame_paired_with_itself_matches_each_voxel_with_its_own(samples):
    val = samples["val"]
    row = val.table.slice(0, 1).to_pylist()[0]
    pair = val.load(row | {"positive": row["anchor"]}, np.random.default_rng(0))
    half = len(pair["voxel"]) // 2
    assert_array_equal(pair["match_voxel"][:, 1], pair["match_voxel"][:, 0] + half)


def test_training_clouds_are_turned_by_themselves_and_keep_distances(samples):
    train = samples["train"]
    first, again, other = (loaded(train, seed=seed, match_radius=3.0) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["voxel"], other["voxel"])
    clouds, means = world_points(train)
    for view, (points, mean) in enumerate(zip(clouds, means, strict=True)):
        reach = np.linalg.norm(points - mean, axis=1).max()
        turned = np.linalg.norm(VOXEL * (first["voxel"][first["voxel"][:, 0] == view, 1:] + 0.5), axis=1).max()
        assert_allclose(turned, reach, atol=VOXEL)


def test_clouds_too_far_apart_have_no_match_and_pairs_that_could_not_be_read_no_voxel(samples):
    val = samples["val"]
    lonely = loaded(val, match_radius=1e-4)
    assert lonely["match_valid"] == 0
    columns = val.collate([lonely, None, loaded(val)])
    assert columns["usable"].tolist() == [1, 0, 1]
    assert columns["match_valid"].tolist() == [0, 0, 1]
    assert set(columns["voxel"][:, 0]) == {0, 1, 4, 5}
    assert_array_equal(columns["voxel"][columns["match_voxel"][2], 0], np.tile([4, 5], (50, 1)))
    assert not columns["match_voxel"][:2].any()
