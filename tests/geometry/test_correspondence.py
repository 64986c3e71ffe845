import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.correspondence import match_pixels, match_voxels, sample_matches, to_feature_grid
from sem3d.geometry.projection import project, transform, unproject_valid
from sem3d.geometry.voxels import mean_per_voxel
from tests.reference import correspondence as reference

ANCHOR = np.array([[28.0, 0.0, 15.3], [0.0, 29.0, 11.8], [0.0, 0.0, 1.0]])
POSITIVE = np.array([[31.0, 0.0, 15.9], [0.0, 30.0, 11.1], [0.0, 0.0, 1.0]])
CRITERIA = [("depth", 0.05), ("distance", 0.05)]


def pose(yaw: float, place: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    world_from_camera[:3, 3] = place
    return world_from_camera


FIRST, SECOND = pose(0.3, (0.2, 0.1, -0.4)), pose(-0.1, (-0.5, 0.0, 0.1))
POSITIVE_FROM_ANCHOR = invert_rigid(SECOND) @ FIRST


@pytest.mark.parametrize(("criterion", "threshold"), CRITERIA)
def test_a_frame_matches_itself_pixel_by_pixel(box_room, criterion, threshold):
    depth = box_room(FIRST, ANCHOR)
    depth[3:6, 4:9] = 0.0
    anchor, positive = match_pixels(depth, depth, ANCHOR, ANCHOR, np.eye(4), threshold=threshold, criterion=criterion)
    np.testing.assert_array_equal(anchor, positive)
    assert len(anchor) == (depth > 0).sum()


@pytest.mark.parametrize(("criterion", "threshold"), CRITERIA)
def test_pixel_matches_equal_the_loop(box_room, criterion, threshold):
    anchor_depth, positive_depth = box_room(FIRST, ANCHOR), box_room(SECOND, POSITIVE)
    anchor_depth[:, 3] = 0.0
    positive_depth[10:12] = 0.0
    ours = match_pixels(
        anchor_depth, positive_depth, ANCHOR, POSITIVE, POSITIVE_FROM_ANCHOR, threshold=threshold, criterion=criterion
    )
    theirs = reference.match_pixels(
        anchor_depth, positive_depth, ANCHOR, POSITIVE, POSITIVE_FROM_ANCHOR, threshold, criterion
    )
    assert len(theirs[0]) > 100
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(("criterion", "threshold"), [("depth", 0.2), ("distance", 0.04)])
def test_voxel_matches_equal_the_loop(box_room, criterion, threshold):
    depth = box_room(FIRST, ANCHOR)
    depth[5] = 0.0
    rng = np.random.default_rng(0)
    surface = np.concatenate([transform(p, unproject_valid(box_room(p, ANCHOR), ANCHOR)[0]) for p in (FIRST, SECOND)])
    voxel_positions = np.floor(
        (surface + rng.normal(scale=0.01, size=surface.shape)) / 0.02
    ) * 0.02 + 1e-3 * rng.random(3)
    voxel_positions = np.unique(voxel_positions, axis=0)
    camera_from_world = invert_rigid(FIRST)
    ours = match_voxels(voxel_positions, depth, ANCHOR, camera_from_world, threshold=threshold, criterion=criterion)
    theirs = reference.match_voxels(voxel_positions, depth, ANCHOR, camera_from_world, threshold, criterion)
    assert len(theirs[0]) > 100
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_without_depth_or_without_overlap_there_is_no_match(box_room):
    depth = box_room(FIRST, ANCHOR)
    behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    for positive_depth, positive_from_anchor in ((np.zeros_like(depth), np.eye(4)), (depth, behind)):
        for criterion, threshold in CRITERIA:
            anchor, positive = match_pixels(
                depth, positive_depth, ANCHOR, ANCHOR, positive_from_anchor, threshold=threshold, criterion=criterion
            )
            assert anchor.shape == positive.shape == (0, 2)


def test_two_cameras_at_one_place_do_not_match_pixels_without_depth():
    depth = np.zeros((4, 4), dtype=np.float32)
    assert len(match_pixels(depth, depth, ANCHOR, ANCHOR, np.eye(4), threshold=0.05, criterion="depth")[0]) == 0


@settings(deadline=None, max_examples=10)
@given(st.floats(-3.0, 3.0), st.floats(-5.0, 5.0))
def test_matches_do_not_depend_on_where_the_world_is(box_room, yaw, shift):
    anchor_depth, positive_depth = box_room(FIRST, ANCHOR), box_room(SECOND, POSITIVE)
    motion = pose(yaw, (shift, -shift, 0.5 * shift))
    moved = invert_rigid(motion @ SECOND) @ (motion @ FIRST)
    expected = match_pixels(
        anchor_depth, positive_depth, ANCHOR, POSITIVE, POSITIVE_FROM_ANCHOR, threshold=0.05, criterion="depth"
    )
    ours = match_pixels(anchor_depth, positive_depth, ANCHOR, POSITIVE, moved, threshold=0.05, criterion="depth")
    np.testing.assert_array_equal(ours[0], expected[0])
    np.testing.assert_array_equal(ours[1], expected[1])


def test_feature_cells_follow_the_released_rounding_and_the_stated_rule():
    pixels = np.stack([np.arange(32), np.arange(32)], axis=1)
    np.testing.assert_array_equal(to_feature_grid(pixels, 2, (16, 16)), np.round((pixels - 0.5) / 2).astype(int))
    for stride in (1, 2, 3, 4, 8):
        rule = np.floor((pixels - (stride - 1) / 2) / stride + 0.5).astype(int)
        np.testing.assert_array_equal(to_feature_grid(pixels, stride, (32, 32)), rule)
    assert to_feature_grid(pixels, 4, (3, 5)).max(axis=0).tolist() == [4, 2]


def test_matches_are_drawn_without_repetition_where_there_are_enough():
    assert len(set(sample_matches(np.random.default_rng(0), 50, 50).tolist())) == 50
    few = sample_matches(np.random.default_rng(0), 3, 50)
    assert few.shape == (50,)
    assert set(few.tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="no matches"):
        sample_matches(np.random.default_rng(0), 0, 5)


def test_neighbours_of_the_kitchen_reproject_to_millimetres(kitchen):
    errors = []
    for frame in range(0, 99, 14):
        anchor_depth, positive_depth = kitchen.depth(frame), kitchen.depth(frame + 1)
        positive_from_anchor = np.linalg.inv(kitchen.pose(frame + 1)) @ kitchen.pose(frame)
        anchor, positive = match_pixels(
            anchor_depth, positive_depth, kitchen.intrinsics, kitchen.intrinsics, positive_from_anchor,
            threshold=0.05, criterion="depth",
        )  # fmt: skip
        assert len(anchor) > 0.6 * (anchor_depth > 0).sum()
        points, pixels = unproject_valid(anchor_depth, kitchen.intrinsics)
        row = np.full(anchor_depth.shape, -1)
        row[pixels[:, 1], pixels[:, 0]] = np.arange(len(pixels))
        moved = transform(positive_from_anchor, points[row[anchor[:, 1], anchor[:, 0]]])
        positions, z = project(moved, kitchen.intrinsics)
        assert np.abs(positions - positive).max() <= 0.5
        errors.append(np.median(np.abs(z - positive_depth[positive[:, 1], positive[:, 0]])))
    # Neighbours of this scan differ by 3 to 11 mm; matches under a wrong pose spread over the 50 mm threshold.
    assert max(errors) < 0.015
    assert np.median(errors) < 0.008


def test_the_kitchen_matches_its_own_voxels(kitchen):
    depth = kitchen.depth(0)[::2, ::2].copy()
    intrinsics = kitchen.intrinsics.copy()
    intrinsics[:2] /= 2
    world_from_camera = kitchen.pose(0)
    voxel_positions = mean_per_voxel(transform(world_from_camera, unproject_valid(depth, intrinsics)[0]), 0.02)
    camera_from_world = np.linalg.inv(world_from_camera)
    voxel, pixels = match_voxels(
        voxel_positions, depth, intrinsics, camera_from_world, threshold=0.02, criterion="distance"
    )
    assert len(pixels) == (depth > 0).sum()
    assert len(np.unique(voxel)) > 0.9 * len(voxel_positions)
