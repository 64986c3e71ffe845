"""Pairs of frames for PPKT with PointContrast: each frame is one of PPKT's, and matched voxels show the same place."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sem3d.config import override
from sem3d.datasets.pixel_point_pairs import PixelPointPairs, pixel_point_pair_samples
from sem3d.datasets.single_frames import LoadFrame, SingleFrames
from sem3d.datasets.view import read_view
from sem3d.geometry.projection import transform, unproject_valid

VOXEL, RADIUS = 0.1, 1.5
SMALL = {"prepare.stride": 1, "height": 33, "width": 44, "matches": 50, "voxel_size": VOXEL}


@pytest.fixture
def samples(indexed_rooms, tmp_path):
    config = override(PixelPointPairs(root=str(indexed_rooms)), SMALL | {"evaluation_pairs": 5})
    return pixel_point_pair_samples(config, str(tmp_path), seed=0)


def frames_of(samples, row):
    return [samples.load.index.frames.slice(row[role], 1).to_pylist()[0] for role in ("anchor", "positive")]


def test_frames_are_those_of_ppkt_and_matches_hold_points_within_the_radius(samples):
    val = samples["val"]
    row = val.table.slice(0, 1).to_pylist()[0]
    pair, root = val.load(row, np.random.default_rng(0)), val.load.index.root
    alone, rng = LoadFrame(root, override(SingleFrames(), SMALL), augment=False), np.random.default_rng(0)
    for made, frame in zip(pair["frames"], frames_of(val, row), strict=True):
        expected = alone(frame, rng)
        assert made.keys() == expected.keys()
        assert all(np.array_equal(made[name], expected[name]) for name in expected)
    clouds, means = [], []
    for frame in frames_of(val, row):
        view = read_view(root, frame, (33, 44))
        clouds.append(transform(view.world_from_camera, unproject_valid(view.depth, view.intrinsics)[0]))
        means.append(clouds[-1].mean(axis=0))
    assert pair["match_valid"] == 1
    for rows in pair["match_voxel"][:20]:
        near = []
        for view, points, mean in zip((0, 1), clouds, means, strict=True):
            voxel = pair["frames"][view]["voxel"][rows[view]]
            near.append(points[(np.floor((points - mean) / VOXEL) == voxel).all(axis=1)])
        assert np.linalg.norm(near[0][:, None] - near[1][None], axis=2).min() < RADIUS * VOXEL


def test_training_frames_move_by_themselves_and_matches_do_not_follow(samples):
    train = samples["train"]
    row = train.table.slice(0, 1).to_pylist()[0]
    first, again, other = (train.load(row, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(a["voxel"], b["voxel"]) for a, b in zip(first["frames"], again["frames"], strict=True))
    assert not np.array_equal(first["frames"][0]["voxel"], other["frames"][0]["voxel"])
    assert first["match_valid"] == 1


def test_references_follow_the_voxels_of_all_frames_of_a_batch(samples):
    val = samples["val"]
    row = val.table.slice(0, 1).to_pylist()[0]
    own = val.load(row | {"positive": row["anchor"]}, np.random.default_rng(0))
    lonely = replace(val.load, config=replace(val.load.config, match_radius=1e-4))(row, np.random.default_rng(0))
    columns = val.collate([lonely, None, own])
    assert columns["usable"].tolist() == [1, 1, 0, 0, 1, 1]
    assert columns["match_valid"].tolist() == [0, 0, 1]
    assert set(columns["voxel"][:, 0]) == {0, 1, 4, 5}
    assert not columns["match_voxel"][:2].any()
    matched = columns["voxel"][columns["match_voxel"][2]]
    assert_array_equal(matched[..., 0], np.tile([4, 5], (50, 1)))
    assert_array_equal(matched[:, 0, 1:], matched[:, 1, 1:])
    assert_array_equal(columns["voxel"][columns["pair_voxel"][5], 0], np.full(50, 5))
