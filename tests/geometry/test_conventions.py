"""What sem3d.geometry states, on scenes where left, up and near cannot be mistaken for right, down and far."""

import numpy as np

from sem3d.geometry.cameras import invert_rigid, resize_intrinsics
from sem3d.geometry.correspondence import match_pixels, to_feature_grid
from sem3d.geometry.projection import nearest_pixel, project, transform, unproject_valid
from sem3d.geometry.voxels import voxel_indices

INTRINSICS = np.array([[50.0, 0.0, 15.5], [0.0, 60.0, 11.5], [0.0, 0.0, 1.0]])
SIZE = (24, 32)


def depth_with(u: int, v: int, z: float) -> np.ndarray:
    depth = np.zeros(SIZE, dtype=np.float32)
    depth[v, u] = z
    return depth


def test_a_pixel_left_of_the_centre_has_negative_x():
    assert unproject_valid(depth_with(3, 11, 2.0), INTRINSICS)[0][0, 0] < 0


def test_a_pixel_below_the_centre_has_positive_y():
    assert unproject_valid(depth_with(15, 20, 2.0), INTRINSICS)[0][0, 1] > 0


def test_depth_is_z_and_not_the_length_of_the_ray():
    (point,), _ = unproject_valid(depth_with(0, 0, 2.0), INTRINSICS)
    assert point[2] == 2.0
    assert np.linalg.norm(point) > 2.0


def test_a_pixel_is_column_then_row():
    _, pixels = unproject_valid(depth_with(30, 2, 1.0), INTRINSICS)
    np.testing.assert_array_equal(pixels, [[30, 2]])


def test_the_centre_of_the_top_left_pixel_is_the_origin():
    np.testing.assert_array_equal(nearest_pixel(np.array([[-0.5, 0.49], [0.5, 1.49]])), [[0, 0], [1, 1]])


def test_the_principal_point_sees_the_optical_axis():
    positions, z = project(np.array([[0.0, 0.0, 3.0]]), INTRINSICS)
    np.testing.assert_array_equal(positions, [[15.5, 11.5]])
    np.testing.assert_array_equal(z, [3.0])


def test_world_from_camera_maps_the_camera_centre_to_its_place():
    world_from_camera = np.eye(4)
    world_from_camera[:3, 3] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(transform(world_from_camera, np.zeros((1, 3))), [[1.0, 2.0, 3.0]])


def test_a_camera_that_moved_right_sees_a_point_further_left():
    positive_from_anchor = invert_rigid(np.array([[1.0, 0, 0, 0.2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    anchor, positive = match_pixels(
        depth_with(20, 5, 2.0), depth_with(15, 5, 2.0), INTRINSICS, INTRINSICS, positive_from_anchor,
        threshold=0.05, criterion="depth",
    )  # fmt: skip
    np.testing.assert_array_equal(anchor, [[20, 5]])
    np.testing.assert_array_equal(positive, [[15, 5]])


def test_intrinsics_of_a_resized_image_follow_the_rule_of_its_pixels():
    point = np.array([[0.3, -0.2, 2.0]])
    before, _ = project(point, INTRINSICS)
    after, _ = project(point, resize_intrinsics(INTRINSICS, SIZE, (12, 64)))
    np.testing.assert_allclose(after, (before + 0.5) * [2.0, 0.5] - 0.5)


def test_a_pixel_without_depth_sees_no_point():
    points, pixels = unproject_valid(np.full(SIZE, np.nan, dtype=np.float32), INTRINSICS)
    assert len(points) == len(pixels) == 0


def test_a_voxel_index_is_rounded_down_and_by_name_toward_zero():
    points = np.array([[-0.01, 0.01, 0.03]])
    np.testing.assert_array_equal(voxel_indices(points, 0.02), [[-1, 0, 1]])
    np.testing.assert_array_equal(voxel_indices(points, 0.02, "truncate"), [[0, 0, 1]])


def test_sizes_are_height_then_width():
    corner = np.array([[31, 23]])
    np.testing.assert_array_equal(to_feature_grid(corner, 2, (12, 16)), [[15, 11]])
