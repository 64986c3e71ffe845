import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.geometry.projection import inside_image, nearest_pixel, project, unproject_valid

INTRINSICS = np.array([[50.0, 0.0, 15.2], [0.0, 60.0, 11.9], [0.0, 0.0, 1.0]])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(5.0, 2000.0), st.floats(-10.0, 40.0))
def test_projecting_what_was_unprojected_gives_the_pixels_back(seed, focal, centre):
    depth = np.random.default_rng(seed).uniform(0.1, 10.0, size=(6, 9)).astype(np.float32)
    intrinsics = np.array([[focal, 0.0, centre], [0.0, 0.7 * focal, centre], [0.0, 0.0, 1.0]])
    points, pixels = unproject_valid(depth, intrinsics)
    positions, z = project(points, intrinsics)
    np.testing.assert_allclose(positions, pixels, atol=1e-9)
    np.testing.assert_array_equal(z, depth.ravel().astype(np.float64))


def test_the_valid_points_are_those_of_the_pixels_that_have_depth():
    depth = np.random.default_rng(0).uniform(0.5, 4.0, size=(24, 32)).astype(np.float32)
    depth[::3] = 0.0
    depth[1, :4] = [np.nan, np.inf, -1.0, -np.inf]
    points, pixels = unproject_valid(depth, INTRINSICS)
    seen = [(u, v) for v in range(24) for u in range(32) if np.isfinite(depth[v, u]) and depth[v, u] > 0]
    np.testing.assert_array_equal(pixels, seen)
    rays = [np.linalg.solve(INTRINSICS, [u, v, 1.0]) * depth[v, u] for u, v in seen]
    np.testing.assert_allclose(points, rays)


def test_points_behind_the_camera_have_no_position_and_are_outside_every_image():
    positions, z = project(np.array([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0], [1.0, 0.0, 1e-320]]), INTRINSICS)
    assert np.isnan(positions[:2]).all()
    assert not inside_image(positions, (24, 32)).any()
    assert (z <= 1e-320).all()


def test_every_position_inside_the_image_belongs_to_one_of_its_pixels():
    edges = np.array([-0.5, np.nextafter(-0.5, -1), 0.49999999999999994, 31.5, np.nextafter(31.5, 0)])
    positions = np.stack([edges, np.zeros(5)], axis=1)
    inside = inside_image(positions, (1, 32))
    np.testing.assert_array_equal(inside, [True, False, True, False, True])
    assert (np.abs(nearest_pixel(positions[inside])[:, 0] - 15.5) <= 15.5).all()
