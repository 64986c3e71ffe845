import numpy as np
import pytest

from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.object_camera import Z_UP_FROM_Y_UP, camera_from_object, centred_intrinsics, world_from_camera
from sem3d.rendering.posed_views import TracedMesh
from sem3d.rendering.sketches import draw_sketch, points_in_sight

SIDE = 24
K = centred_intrinsics(SIDE)


def square(z: float, half: float) -> np.ndarray:
    """Two triangles that face along z, in the object's frame."""
    a, b, c, d = (np.array([x, y, z]) for x, y in ((-half, -half), (half, -half), (half, half), (-half, half)))
    return np.array([[a, b, c], [a, c, d]])


def seen(corners: np.ndarray, azimuth: float = 0.0, polar: float = np.pi / 2):
    pose = world_from_camera(camera_from_object(azimuth, polar, (0.0, 0.0, 2.0)))
    return TracedMesh(corners @ Z_UP_FROM_Y_UP.T), pose


def test_depth_is_along_the_axis_and_normals_face_the_camera_whichever_way_the_face_is_wound():
    for corners in (square(0.25, 0.3), square(0.25, 0.3)[:, ::-1]):
        depth, normals = draw_sketch(*seen(corners), K, SIDE)
        there = depth > 0
        assert 0.1 < there.mean() < 0.5
        np.testing.assert_allclose(depth[there], 1.75, rtol=1e-5)
        np.testing.assert_allclose(normals[there], np.broadcast_to([0, 0, -1], normals[there].shape), atol=1e-6)
        assert (normals[~there] == 0).all()


def test_a_face_seen_from_the_side_has_the_normal_of_its_slope():
    depth, normals = draw_sketch(*seen(square(0.0, 0.3), azimuth=0.5), K, SIDE)
    inside = normals[depth > 0]
    np.testing.assert_allclose(inside, np.broadcast_to([-np.sin(0.5), 0, -np.cos(0.5)], inside.shape), atol=1e-6)


def test_points_are_in_sight_before_a_face_and_not_behind_it_nor_beside_the_picture():
    mesh, pose = seen(np.concatenate([square(0.25, 0.2), square(-0.25, 0.2)]))
    points = np.array([[0.1, 0.1, 0.25], [0.1, 0.1, -0.25], [0.0, 0.5, -0.25], [3.0, 0.0, 0.0]])
    places, visible = points_in_sight(mesh, points @ Z_UP_FROM_Y_UP.T, invert_rigid(pose), K, SIDE)
    assert visible.tolist() == [True, False, True, False]
    focal = K[0, 0]
    np.testing.assert_allclose(places[0], [SIDE / 2 + focal * 0.1 / 1.75, SIDE / 2 - focal * 0.1 / 1.75])


@pytest.mark.parametrize("column", [3, 12, 20])
def test_pixels_lie_where_the_points_that_they_see_are_projected(column):
    mesh, pose = seen(square(0.1, 0.5), azimuth=0.3, polar=1.2)
    depth, _ = draw_sketch(mesh, pose, K, SIDE)
    row = 11
    ray = np.linalg.inv(K) @ [column + 0.5, row + 0.5, 1.0]
    point = pose[:3, :3] @ (ray * depth[row, column]) + pose[:3, 3]
    places, visible = points_in_sight(mesh, point[None], invert_rigid(pose), K, SIDE)
    np.testing.assert_allclose(places[0], [column + 0.5, row + 0.5], atol=1e-4)
    assert visible[0]
