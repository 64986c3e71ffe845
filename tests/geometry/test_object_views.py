"""Where the 24 views of an object stand, and which way its axes show in their images."""

import math

import pytest
import torch

from sem3d.geometry.nmr_views import VIEWS
from sem3d.geometry.object_views import camera_axes, eyes_of_views, mirrored, to_device_coordinates


def seen(points: list[list[float]], view: int) -> torch.Tensor:
    eye = eyes_of_views(torch.tensor([view]), dtype=torch.float64)
    return to_device_coordinates(torch.tensor([points], dtype=torch.float64), eye)[0]


def test_view_0_stands_before_negative_z_raised_by_30_degrees():
    eye = eyes_of_views(torch.tensor([0]), dtype=torch.float64)[0]
    torch.testing.assert_close(eye, torch.tensor([0, 1.366, -2.732 * math.cos(math.pi / 6)], dtype=torch.float64))


def test_views_go_round_the_object_at_one_distance_and_height_first_to_its_left():
    eyes = eyes_of_views(torch.arange(VIEWS), dtype=torch.float64)
    torch.testing.assert_close(eyes.norm(dim=1), torch.full((24,), 2.732, dtype=torch.float64))
    torch.testing.assert_close(eyes[:, 1], eyes[:1, 1].expand(24))
    torch.testing.assert_close(eyes.mean(0)[[0, 2]], torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)
    assert eyes[1, 0] < 0
    assert eyes[6, 0] == eyes[:, 0].min()


def test_the_object_s_right_and_top_are_right_and_up_in_view_0_and_its_far_side_is_deeper():
    origin, right, top, far = seen([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.3]], 0)
    torch.testing.assert_close(origin, torch.tensor([0, 0, 2.732], dtype=torch.float64), atol=1e-12, rtol=0)
    assert right[0] > 0
    assert right[1].abs() < 1e-12
    assert top[1] > 0
    assert far[2] > origin[2]
    assert far[1] > 0


def test_the_opposite_view_mirrors_left_and_right():
    assert seen([[0.3, 0.0, 0.0]], 12)[0, 0] < 0


def test_fifteen_degrees_off_the_axis_is_the_image_s_edge():
    eye = torch.tensor([[0.0, 0.0, -2.0]], dtype=torch.float64)
    edge = torch.tensor([[[2 * math.tan(math.radians(15)), 0.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(to_device_coordinates(edge, eye)[0, 0], torch.tensor([1, 0, 2], dtype=torch.float64))


def test_camera_axes_are_orthonormal_and_look_at_the_origin():
    eye = eyes_of_views(torch.arange(VIEWS), dtype=torch.float64)
    axes = camera_axes(eye)
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3, dtype=torch.float64).expand(24, 3, 3), atol=1e-12, rtol=0)
    torch.testing.assert_close(axes[:, 2] * 2.732, -eye)


def test_turning_the_object_is_turning_the_camera():
    points = torch.rand(1, 5, 3, dtype=torch.float64) - 0.5
    angle = math.radians(-15.0 * 7)
    c, s = math.cos(angle), math.sin(angle)
    turned = points @ torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=torch.float64)
    at_0, at_7 = (eyes_of_views(torch.tensor([view]), dtype=torch.float64) for view in (0, 7))
    torch.testing.assert_close(to_device_coordinates(turned, at_0), to_device_coordinates(points, at_7))


def test_projection_passes_gradcheck():
    points = (torch.rand(2, 3, 3, dtype=torch.float64) - 0.5).requires_grad_()
    eye = eyes_of_views(torch.tensor([2, 9]), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(to_device_coordinates, (points, eye))


@pytest.mark.parametrize("beyond", [0.0, 0.5])
def test_vertices_at_or_behind_the_camera_stay_finite_with_their_depth(beyond):
    eye = eyes_of_views(torch.tensor([3]))
    point = (eye * (1 + beyond))[None].requires_grad_()
    seen = to_device_coordinates(point, eye)
    seen.sum().backward()
    assert seen[0, 0, 2] <= 1e-6
    assert seen.isfinite().all()
    assert point.grad.isfinite().all()


def test_mirroring_twice_changes_nothing_and_keeps_the_outside_outside():
    vertices, faces = torch.rand(4, 3), torch.tensor([[0, 1, 2], [0, 2, 3]])
    again = mirrored(*mirrored(vertices, faces))
    torch.testing.assert_close(again, (vertices, faces))

    def normals(points: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
        a, b, c = points[triangles].unbind(1)
        return torch.linalg.cross(b - a, c - a)

    torch.testing.assert_close(normals(*mirrored(vertices, faces)), normals(vertices, faces) * torch.tensor([1, 1, -1]))
