"""Solid voxels against clipping and walking in plain loops, closed forms, and the axes of the data set."""

import numpy as np
import pytest

from sem3d.evaluation.reconstruction import voxel_iou
from sem3d.geometry.solid_voxels import fill_solid, solid_voxels, surface_voxels, to_dataset_axes
from tests.reference import solid_voxels as reference

SQUARES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
BOX_FACES = SQUARES[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def box(low, high) -> np.ndarray:
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def random_mesh(rng: np.random.Generator, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    if closed:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        shapes = [box(-rng.uniform(0.02, 0.4, 3), rng.uniform(0.02, 0.4, 3)) @ turn.T for _ in range(2)]
        return np.concatenate(shapes), np.concatenate([BOX_FACES, BOX_FACES + 8])
    return rng.uniform(-0.7, 0.7, (12, 3)), rng.integers(0, 12, (14, 3))


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_voxels_equal_a_brute_force_voxelisation(seed, closed):
    vertices, faces = random_mesh(np.random.default_rng(seed), closed)
    size = 10
    corners = vertices[faces] * (size - 1) + size / 2
    surface = reference.surface_voxels(corners, size)
    np.testing.assert_array_equal(surface_voxels(corners, size), surface)
    np.testing.assert_array_equal(solid_voxels(vertices, faces, size), reference.fill_solid(surface))


def test_voxel_iou_of_two_meshes_equals_that_of_their_brute_force_voxels():
    rng, ours, brute = np.random.default_rng(5), [], []
    for _ in range(2):
        vertices, faces = random_mesh(rng, closed=True)
        ours.append(solid_voxels(vertices, faces, 12))
        brute.append(reference.fill_solid(reference.surface_voxels(vertices[faces] * 11 + 6, 12)))
    assert 0.1 < voxel_iou(*ours) < 0.9
    assert voxel_iou(*ours) == voxel_iou(*brute)


@pytest.mark.parametrize("seed", range(3))
def test_a_closed_mesh_is_its_surface_and_the_centres_under_an_odd_number_of_faces(seed):
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    vertices, size = box([-0.3, -0.2, -0.2], [0.25, 0.3, 0.15]) @ turn.T, 12
    corners = vertices[BOX_FACES] * (size - 1) + size / 2
    expected = surface_voxels(corners, size) | reference.centres_inside(corners, size)
    np.testing.assert_array_equal(solid_voxels(vertices, BOX_FACES, size), expected)


def test_triangles_without_area_touch_what_their_edges_touch():
    corners = np.array([[[0.5, 0.5, 0.5], [3.5, 0.6, 0.7], [2.0, 0.55, 0.6]], [[1.3, 2.3, 3.3]] * 3])
    touched = surface_voxels(corners, 4)
    np.testing.assert_array_equal(np.argwhere(touched), [[0, 0, 0], [1, 0, 0], [1, 2, 3], [2, 0, 0], [3, 0, 0]])


def test_a_face_on_the_boundary_of_two_voxels_touches_both():
    corners = np.array([[[2.0, 0.1, 0.1], [2.0, 3.9, 0.1], [2.0, 0.1, 3.9]]])
    touched = surface_voxels(corners, 4)
    np.testing.assert_array_equal(touched[1], touched[2])
    assert touched[1, 0, 0]
    assert not touched[[0, 3]].any()


def test_the_unit_cube_fills_the_grid():
    assert solid_voxels(box([-0.5] * 3, [0.5] * 3), BOX_FACES).all()


def test_a_box_keeps_its_place_and_an_open_box_is_hollow():
    vertices, size = box([-0.25, -0.25, -0.25], [0.25, 0.25, 0.25]), 32
    solid = solid_voxels(vertices, BOX_FACES, size)
    inside = np.zeros((size,) * 3, dtype=bool)
    inside[8:24, 8:24, 8:24] = True
    np.testing.assert_array_equal(solid, inside)
    assert solid_voxels(vertices, BOX_FACES[2:], size).sum() == 16**3 - 15 * 14 * 14


def test_what_lies_outside_the_cube_is_left_out():
    assert not solid_voxels(box([0.6] * 3, [0.9] * 3), BOX_FACES).any()


def test_a_closed_pocket_is_filled_and_a_way_out_by_faces_empties_it():
    surface = np.zeros((5, 5, 5), dtype=bool)
    surface[1:4, 1:4, 1:4] = True
    surface[2, 2, 2] = False
    assert fill_solid(surface).sum() == 27
    surface[2, 2, 3] = False
    assert fill_solid(surface).sum() == 25


def test_the_dataset_has_height_first_then_left_to_right_then_far_to_near():
    high_left_far = box([-0.45, 0.3, 0.1], [-0.3, 0.45, 0.45])
    voxels = to_dataset_axes(solid_voxels(high_left_far, BOX_FACES))
    y, x, z = np.argwhere(voxels).T
    assert y.min() > 24
    assert x.max() < 8
    assert z.max() < 16
    position = np.array([0.375, -0.375, -0.275]) * 31 + 16
    np.testing.assert_allclose(np.argwhere(voxels).mean(axis=0) + 0.5, position, atol=0.5)


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        (np.zeros((3, 3)), np.zeros((0, 3), dtype=int), "no faces"),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "not finite"),
        (np.zeros((3, 3)), np.array([[0, 1, 3]]), "outside 0 to 2"),
    ],
)
def test_meshes_that_have_no_voxels_are_refused(vertices, faces, reason):
    with pytest.raises(ValueError, match=reason):
        solid_voxels(vertices, faces)
