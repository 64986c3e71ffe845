import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.geometry.object_camera import camera_from_object
from sem3d.geometry.voxel_mesh import voxel_mesh
from sem3d.rendering.fitted_viewpoint import (
    ObjectCamera,
    fit_viewpoint,
    silhouette_cost,
    to_device_coordinates,
)
from tests.reference.silhouette_projection import hard_silhouette, project_point


def steps() -> tuple[torch.Tensor, torch.Tensor]:
    """A staircase with a tower on one side: no two of its views have the same silhouette."""
    grid = np.zeros((8, 8, 8), np.float32)
    grid[:, :2, :], grid[:, :4, 3:], grid[:3, :8, 6:] = 1, 1, 1
    vertices, faces = voxel_mesh(grid, 0.5)
    return torch.tensor(vertices), torch.tensor(faces)


def camera(azimuth=0.5, polar=1.2, roll=0.0, middle=(0.02, -0.01, 2.3)) -> ObjectCamera:
    angles = (torch.tensor(value, dtype=torch.float64) for value in (azimuth, polar, roll))
    return ObjectCamera(*angles, torch.tensor(middle, dtype=torch.float64))


def target(vertices, faces, at: ObjectCamera, side: int = 32) -> torch.Tensor:
    places = to_device_coordinates(vertices, at)[:, :2].tolist()
    triangles = [[tuple(places[corner]) for corner in face] for face in faces.tolist()]
    return torch.tensor(hard_silhouette(triangles, side))


def test_points_are_projected_as_by_the_reference():
    points = torch.randn(10, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 3
    for azimuth, polar, roll in ((0.3, 1.0, 0.0), (4.0, 1.8, 0.4)):
        at = camera(azimuth, polar, roll)
        expected = [project_point(point, azimuth, polar, roll, at.middle.tolist()) for point in points.tolist()]
        assert_close(to_device_coordinates(points, at)[:, :2], torch.tensor(expected, dtype=torch.float64))


def test_the_camera_is_that_of_the_data():
    at = ObjectCamera.at(0.7, 1.1, 2.2)
    np.testing.assert_allclose(at.transform(), camera_from_object(0.7, 1.1, (0.0, 0.0, 2.2)), atol=1e-12)


def test_nothing_in_sight_moves_no_camera():
    vertices, faces = steps()
    start = camera()
    fitted, costs = fit_viewpoint(vertices, faces, torch.zeros(32, 32), start, freedom="full")
    assert fitted is start
    assert costs == []


def test_projection_has_the_gradient_of_differences():
    points = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 3

    def project(azimuth, polar, roll, middle):
        return to_device_coordinates(points, ObjectCamera(azimuth, polar, roll, middle))

    inputs = [
        torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.4, 1.1, 0.1, [0.0, 0.1, 2.0])
    ]
    assert torch.autograd.gradcheck(project, inputs)


def test_the_cost_of_the_true_viewpoint_is_small_and_near_that_of_hard_silhouettes_elsewhere():
    vertices, faces = steps()
    true, other = camera(), camera(azimuth=1.3)
    seen, elsewhere = (target(vertices, faces, at) for at in (true, other))
    assert silhouette_cost(vertices, faces, seen, true, 1e-5) < 0.01
    found = silhouette_cost(vertices, faces, elsewhere, true, 1e-5).item()
    assert found == pytest.approx(float((seen - elsewhere).square().mean()), abs=0.01)


@pytest.mark.parametrize(
    ("freedom", "start"),
    [
        ("distance", {"middle": (0.02 * 1.15, -0.01 * 1.15, 2.3 * 1.15)}),
        ("angles", {"azimuth": 0.75, "polar": 1.05}),
        ("full", {"azimuth": 0.7, "polar": 1.1, "middle": (0.1, 0.05, 2.4)}),
    ],
)
def test_twenty_steps_bring_a_viewpoint_nearer_to_the_true_one(freedom, start):
    vertices, faces = steps()
    true = camera()
    first = camera(**start)
    found, costs = fit_viewpoint(vertices, faces, target(vertices, faces, true), first, freedom=freedom, steps=20)
    assert len(costs) == 21
    assert min(costs) < 0.5 * costs[0]

    def off(at: ObjectCamera) -> float:
        return float(np.abs(at.transform() - true.transform()).max())

    assert off(found) < 0.6 * off(first)
    if freedom == "angles":
        assert_close(found.middle, first.middle)
    if freedom == "distance":
        assert found.azimuth == first.azimuth


def test_the_best_camera_is_kept_where_steps_lead_astray():
    vertices, faces = steps()
    true = camera()
    seen = target(vertices, faces, true)
    found, costs = fit_viewpoint(vertices, faces, seen, true, freedom="full", steps=3, lr=1.0)
    assert silhouette_cost(vertices, faces, seen, found, 3e-4).item() == pytest.approx(min(costs))
    assert min(costs) <= costs[0]


def test_without_freedom_or_mesh_the_camera_stays():
    vertices, faces = steps()
    at = camera()
    assert fit_viewpoint(vertices, faces, torch.zeros(8, 8), at, freedom="none") == (at, [])
    assert fit_viewpoint(vertices[:0], faces[:0], torch.zeros(8, 8), at, freedom="full") == (at, [])


def test_the_surface_of_a_grid_is_closed_looks_outward_and_lies_where_the_voxels_are():
    grid = np.zeros((8, 8, 8), np.float32)
    grid[2:6, 1:3, 4:7] = 1
    vertices, faces = voxel_mesh(grid, 0.5)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    # half a voxel beyond the middles of the outermost full voxels, of which there are seven steps along the side
    np.testing.assert_allclose(low, (np.array([2, 1, 4]) + 0.5 - 4) / 7 - 0.5 / 7, atol=1e-6)
    np.testing.assert_allclose(high, (np.array([5, 2, 6]) + 0.5 - 4) / 7 + 0.5 / 7, atol=1e-6)
    corners = vertices[faces]
    volume = np.linalg.det(corners).sum() / 6
    assert 0.5 * 24 / 343 < volume < 24 / 343
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert math.isclose(np.abs(vertices).max(), 0.5 * 5 / 7, rel_tol=0.3)


def test_a_grid_that_reaches_its_border_is_closed_too_and_an_empty_one_has_no_surface():
    vertices, faces = voxel_mesh(np.ones((8, 8, 8), np.float32), 0.5)
    assert np.abs(vertices).max() == pytest.approx(0.5 + 0.5 / 7)
    assert len(faces)
    assert len(voxel_mesh(np.zeros((8, 8, 8), np.float32), 0.5)[1]) == 0
