"""Surfaces of grids: vertices as PyTorch3D has them, closed and turned outward whatever the corners of cubes are."""

import numpy as np
import pytest
import torch
from pytorch3d.ops.marching_cubes import marching_cubes as of_pytorch3d

from sem3d.geometry.marching_cubes import EDGES, SIDES, marching_cubes, triangles_of_cases
from sem3d.geometry.voxel_mesh import voxel_mesh


def ball(side: int, radius: float) -> np.ndarray:
    """Negative distance from a ball's surface, about the middle of the grid."""
    axis = np.arange(side) - (side - 1) / 2
    return radius - np.sqrt(sum(np.square(part) for part in np.meshgrid(axis, axis, axis, indexing="ij")))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Signed volume, positive where faces look outward."""
    return float(np.linalg.det(vertices[faces]).sum() / 6)


def directed_edges(faces: np.ndarray) -> list[tuple[int, int]]:
    return [(int(face[k]), int(face[(k + 1) % 3])) for face in faces for k in range(3)]


@pytest.mark.parametrize("kind", ["noise", "voxels", "ball"])
def test_vertices_are_those_of_pytorch3d(kind):
    rng = np.random.default_rng(0)
    values = {"noise": rng.random((7, 6, 5)), "voxels": rng.random((6, 6, 6)) < 0.4, "ball": ball(9, 2.7)}[kind]
    level = 0.0 if kind == "ball" else 0.5
    padded = np.pad(values.astype(np.float32), 1, constant_values=-1 if kind == "ball" else 0)
    vertices, _ = marching_cubes(padded, level)
    volume_of = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 1, 0)))[None]
    theirs, _ = of_pytorch3d(volume_of, level, return_local_coords=False)
    expected = np.unique(theirs[0].double().numpy().round(4), axis=0)
    np.testing.assert_allclose(np.unique(vertices.round(4), axis=0), expected, atol=2e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_surface_of_any_voxels_is_closed_and_looks_outward(seed):
    full = np.random.default_rng(seed).random((6, 7, 5)) < (0.2, 0.4, 0.6, 0.9)[seed]
    vertices, faces = marching_cubes(np.pad(full.astype(float), 1), 0.5)
    edges = directed_edges(faces)
    assert len(set(edges)) == len(edges)
    assert {(b, a) for a, b in edges} == set(edges)
    assert volume(vertices, faces) > 0
    assert len(np.unique(faces)) == len(vertices)


def test_the_surface_of_a_ball_has_its_volume_and_looks_away_from_its_middle():
    vertices, faces = marching_cubes(ball(21, 8.0), 0.0)
    assert volume(vertices - 10, faces) == pytest.approx(4 / 3 * np.pi * 512, rel=0.02)
    corners = vertices[faces] - 10
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * corners.mean(axis=1)).sum(axis=1) >= -1e-9).all()


def test_one_full_number_is_cut_off_halfway_by_eight_triangles():
    values = np.zeros((3, 3, 3))
    values[1, 1, 1] = 1
    vertices, faces = marching_cubes(values, 0.5)
    assert len(faces) == 8
    np.testing.assert_allclose(np.abs(vertices - 1).sum(axis=1), 0.5)
    assert volume(vertices - 1, faces) == pytest.approx(4 / 3 * 0.125)


def test_every_case_uses_its_crossing_edges_and_no_other():
    for case, triangles in enumerate(triangles_of_cases()):
        crossing = {number for number, (a, b) in enumerate(EDGES) if (case >> a & 1) != (case >> b & 1)}
        assert set(triangles[triangles >= 0].tolist()) == crossing
    assert all(len(set(side)) == 4 for side in SIDES)


def test_a_voxel_lies_where_the_grid_of_a_shape_has_it():
    full = np.zeros((8, 8, 8))
    full[0, 7, 3] = 1
    vertices, _ = voxel_mesh(full, 0.5)
    np.testing.assert_allclose(vertices.mean(axis=0), [-0.5, 0.5, (3.5 - 4) / 7], atol=1e-12)
    assert voxel_mesh(full, 1.5)[1].shape == (0, 3)
