"""Depth moved to another grid."""

import numpy as np
from numpy.testing import assert_array_equal

from sem3d.geometry.resample import depth_on_grid


def intrinsics(focal: float, center_u: float, center_v: float) -> np.ndarray:
    return np.array([[focal, 0, center_u], [0, focal, center_v], [0, 0, 1.0]])


def test_the_same_grid_gives_the_same_depth():
    depth = np.arange(12, dtype=np.float32).reshape(3, 4)
    camera = intrinsics(5.0, 1.5, 1.0)
    assert_array_equal(depth_on_grid(depth, camera, camera, (3, 4)), depth)


def test_halving_takes_one_of_the_four_pixels_that_a_grid_pixel_covers():
    depth = np.arange(16, dtype=np.float32).reshape(4, 4)
    half = intrinsics(2.5, (1.5 + 0.5) / 2 - 0.5, (1.5 + 0.5) / 2 - 0.5)
    small = depth_on_grid(depth, intrinsics(5.0, 1.5, 1.5), half, (2, 2))
    for row in range(2):
        for column in range(2):
            assert small[row, column] in depth[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]


def test_a_shifted_principal_point_shifts_the_depth_and_leaves_zero_outside():
    depth = np.ones((3, 4), np.float32) * np.arange(1, 5, dtype=np.float32)
    moved = depth_on_grid(depth, intrinsics(5.0, 1.0, 1.0), intrinsics(5.0, 2.0, 1.0), (3, 4))
    assert_array_equal(moved[0], [0, 1, 2, 3])
