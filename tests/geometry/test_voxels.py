import numpy as np
import pytest

from sem3d.geometry import voxels
from sem3d.geometry.voxel_votes import VoxelVotes
from sem3d.geometry.voxels import distinct_voxels, first_per_voxel, frustum_box, mean_per_voxel, pack, voxel_indices
from tests.reference import voxels as reference


def cloud(seed: int = 0, count: int = 2000) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.4, 0.4, size=(count, 3))


@pytest.mark.parametrize("rounding", ["floor", "truncate"])
def test_voxel_indices_equal_the_loop(rounding):
    np.testing.assert_array_equal(
        voxel_indices(cloud(), 0.03, rounding), reference.voxel_indices(cloud(), 0.03, rounding)
    )


def test_first_points_equal_the_loop():
    indices = voxel_indices(cloud(), 0.1)
    for ours, theirs in zip(first_per_voxel(indices), reference.first_per_voxel(indices), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_each_point_knows_its_voxel_and_each_voxel_its_first_point():
    indices = voxel_indices(cloud(), 0.1)
    voxel, first, of_point = distinct_voxels(indices)
    np.testing.assert_array_equal(voxel[of_point], indices)
    assert voxel.tolist() == sorted(voxel.tolist())
    np.testing.assert_array_equal(np.sort(first), reference.first_per_voxel(indices)[1])
    np.testing.assert_array_equal(indices[first], voxel)


@pytest.mark.parametrize("seed", range(3))
def test_labels_by_vote_equal_the_loop(seed):
    points, voters = cloud(seed), cloud(seed + 10, 3000) * 1.2
    labels = np.random.default_rng(seed).integers(0, 4, len(voters)).astype(np.uint8)
    votes = VoxelVotes(points, 0.1, 4)
    for part in np.array_split(np.arange(len(voters)), 3):
        votes.add(voters[part], labels[part])
    expected = reference.majority_labels(points, voters, labels, 0.1)
    assert (expected == 0).any()
    np.testing.assert_array_equal(votes.winners(), expected)


@pytest.mark.parametrize("dense_voxels", [0, 1 << 23])
def test_means_equal_the_loop_exactly(monkeypatch, dense_voxels):
    monkeypatch.setattr(voxels, "_DENSE_VOXELS", dense_voxels)
    np.testing.assert_array_equal(mean_per_voxel(cloud(), 0.07), reference.mean_per_voxel(cloud(), 0.07))


def test_the_means_of_a_cloud_that_fits_one_voxel_are_its_mean():
    points = cloud() * 0.01
    np.testing.assert_allclose(mean_per_voxel(points, 1.0), points.mean(axis=0)[None])
    assert mean_per_voxel(points[:0], 1.0).shape == (0, 3)


def test_packed_voxels_differ_and_sort_like_their_indices():
    axis = np.array([-(2**20), -1, 0, 1, 2**20 - 1])
    indices = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    assert (np.diff(pack(indices)) > 0).all()


def test_indices_out_of_range_are_refused():
    with pytest.raises(ValueError, match="outside"):
        pack(np.array([[0, 2**20, 0]]))
    with pytest.raises(ValueError, match="too far"):
        voxel_indices(np.array([[1e9, 0.0, 0.0]]), 0.02)
    with pytest.raises(ValueError, match="not finite"):
        voxel_indices(np.array([[np.nan, 0.0, 0.0]]), 0.02)


def test_the_box_of_a_frame_holds_what_it_sees_and_the_released_one_its_camera_too():
    depth = np.zeros((3, 5), dtype=np.float32)
    depth[1, 2], depth[1, 4] = 2.0, 3.0
    intrinsics = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 1.0], [0.0, 0.0, 1.0]])
    world_from_camera = np.eye(4)
    world_from_camera[:3, 3] = [0.25, 0.5, 0.75]
    low, high = frustum_box(depth, intrinsics, world_from_camera, whole_metres=False, include_camera=False)
    np.testing.assert_allclose(low, [0.25, 0.5, 2.75])
    np.testing.assert_allclose(high, [3.25, 0.5, 3.75])
    low, high = frustum_box(depth, intrinsics, world_from_camera, whole_metres=True, include_camera=True)
    np.testing.assert_array_equal(low, [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(high, [4.0, 1.0, 4.0])


def test_a_frame_without_depth_has_no_box():
    with pytest.raises(ValueError, match="no pixel"):
        frustum_box(np.zeros((3, 5), dtype=np.float32), np.eye(3), np.eye(4), whole_metres=True, include_camera=True)
