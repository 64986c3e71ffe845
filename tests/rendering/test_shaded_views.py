import numpy as np
import pytest
import torch
import trimesh

from sem3d.geometry.object_views import camera_axes, eyes_of_views, mirrored, to_device_coordinates
from sem3d.rendering.shaded_views import shaded_views, visible_faces


def asymmetric_shape():
    """A bar along x with a post at its right end: no view looks like another."""
    bar = trimesh.creation.box((0.9, 0.2, 0.25))
    post = trimesh.creation.cylinder(0.1, 0.7, sections=12)
    post.apply_translation((0.35, 0.05, 0.2))
    mesh = trimesh.util.concatenate([bar, post])
    return mesh.vertices - mesh.bounds.mean(axis=0), np.asarray(mesh.faces)


def cast(vertices, faces, view, size):
    """Nearest face at each pixel by casting a ray through its centre (Möller and Trumbore 1997), in float64."""
    eye = eyes_of_views(torch.tensor([view]), dtype=torch.float64)
    right, up, forward = camera_axes(eye)[0].numpy()
    ticks = (2 * np.arange(size) + 1) / size - 1
    reach = np.tan(np.radians(15))
    column, row = np.meshgrid(ticks * reach, -ticks * reach)
    rays = column[..., None] * right + row[..., None] * up + forward
    origin, nearest = eye[0].numpy(), np.full((size, size), np.inf)
    found = np.full((size, size), -1)
    for number, (a, b, c) in enumerate(vertices[faces]):
        normal = np.cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = ((a - origin) @ normal) / (rays @ normal)
            hit = origin + depth[..., None] * rays
            inside = np.all([np.cross(q - p, hit - p) @ normal >= 0 for p, q in ((a, b), (b, c), (c, a))], axis=0)
        closer = inside & (depth > 0) & (depth < nearest)
        nearest[closer], found[closer] = depth[closer], number
    return found


@pytest.mark.parametrize("view", [0, 5, 14])
def test_the_nearest_face_at_each_pixel_is_that_of_ray_casting(view):
    vertices, faces = asymmetric_shape()
    eye = eyes_of_views(torch.tensor([view]))
    seen = to_device_coordinates(torch.tensor(vertices, dtype=torch.float32)[None], eye)[:, torch.tensor(faces)]
    found = visible_faces(seen, 64)[0].numpy()
    wanted = cast(vertices, faces, view, 64)
    assert (found != wanted).mean() < 0.003


def test_tiles_do_not_change_the_image(monkeypatch):
    vertices, faces = asymmetric_shape()
    colors = np.random.default_rng(0).random((len(faces), 3))
    tiled = shaded_views(vertices, faces, colors, supersampling=1)
    monkeypatch.setattr("sem3d.rendering.shaded_views.TILE", 64)
    whole = shaded_views(vertices, faces, colors, supersampling=1)
    assert (tiled != whole).mean() < 1e-3


def test_alpha_is_the_covered_share_and_colour_is_black_outside():
    vertices, faces = asymmetric_shape()
    images = shaded_views(vertices, faces, np.ones((len(faces), 3)))
    alpha = images[:, 3].astype(float) / 255
    assert images.shape == (24, 4, 64, 64)
    assert (images[:, :3].max(axis=1) <= images[:, 3]).all()
    assert (images[:, :3].max(axis=1)[alpha == 1] > 100).all()
    partial = (alpha > 0) & (alpha < 1)
    assert partial[:, 0].sum() == 0
    assert 0.01 < partial.mean() < 0.2


def test_views_half_a_turn_apart_are_mirror_images_for_a_shape_that_is_the_same_from_behind():
    mesh = trimesh.creation.box((0.8, 0.4, 0.6))
    images = shaded_views(mesh.vertices, np.asarray(mesh.faces), np.full((12, 3), 0.5))
    np.testing.assert_array_equal(images[3, 3], images[15, 3])


def test_a_meshs_right_side_is_on_the_right_of_view_0_when_its_back_is_seen():
    vertices, faces = asymmetric_shape()
    turned, flipped = mirrored(torch.tensor(vertices), torch.tensor(faces))
    mask = shaded_views(turned.numpy(), flipped.numpy(), np.ones((len(faces), 3)))[0, 3]
    upper = mask[:24].sum(axis=0)
    assert upper[:32].sum() < upper[32:].sum()
