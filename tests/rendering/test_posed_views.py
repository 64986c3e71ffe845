import numpy as np
import pytest

from sem3d.geometry.sphere_cameras import looking_at_origin, square_intrinsics
from sem3d.rendering.posed_views import Picturing, TracedMesh, draw_labels, draw_view, received

SIDE = 32
CAMERA = looking_at_origin(np.array([[0.0, -2.0, 0.0]]))[0]
INTRINSICS = np.array([[32.0, 0, 16], [0, 32, 16], [0, 0, 1]])


def upright(x: tuple[float, float], z: tuple[float, float], y: float = 0.0) -> np.ndarray:
    """Two triangles of a rectangle that faces the camera; it sees [-1, 1] in x and in z at y = 0."""
    corners = [[x[0], y, z[0]], [x[1], y, z[0]], [x[1], y, z[1]], [x[0], y, z[1]]]
    return np.array([[corners[0], corners[1], corners[2]], [corners[0], corners[2], corners[3]]])


def white(hits):
    return np.ones((len(hits.face), 3))


def test_right_in_the_world_is_right_in_the_picture_and_up_is_up():
    mesh = TracedMesh(upright((0.25, 0.75), (0.5, 0.75)))
    alpha = draw_view(mesh, white, CAMERA, INTRINSICS, Picturing(side=SIDE, samples=1))[..., 3]
    rows, columns = np.nonzero(alpha)
    assert (columns.min(), columns.max()) == (20, 27)
    assert (rows.min(), rows.max()) == (4, 7)


def test_opacity_is_the_covered_share_and_colour_is_not_mixed_with_the_background():
    third = 1 / 16 / 3
    mesh = TracedMesh(upright((-0.5, 0.5 + third), (-0.5, 0.5)))
    picture = draw_view(mesh, white, CAMERA, INTRINSICS, Picturing(side=SIDE, samples=3))
    assert picture[16, 23, 3] == 255
    assert picture[16, 24, 3] == 85
    np.testing.assert_array_equal(picture[16, 24, :3], picture[16, 23, :3])
    assert not picture[16, 25].any()


def test_labels_are_those_at_pixel_centres_of_the_nearest_face():
    near, far = upright((-0.2, 0.01), (-0.2, 0.2), y=-0.5), upright((-0.5, 0.5), (-0.5, 0.5))
    mesh = TracedMesh(np.concatenate([far, near]))
    labels = draw_labels(mesh, np.array([1, 1, 2, 2]), CAMERA, INTRINSICS, SIDE)
    assert labels[16, 15] == 2
    assert labels[16, 16] == 1
    assert labels[16, 30] == 0
    assert labels.dtype == np.int8


@pytest.mark.parametrize("samples", [1, 3])
def test_a_view_is_the_same_whether_only_its_box_or_all_of_it_is_looked_at(samples, monkeypatch):
    corners = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 3, 3))
    pose = looking_at_origin(np.array([[0.9, -0.7, 0.8]]))[0]
    mesh, intrinsics = TracedMesh(corners), square_intrinsics(SIDE)
    boxed = draw_view(mesh, white, pose, intrinsics, Picturing(side=SIDE, samples=samples))
    monkeypatch.setattr("sem3d.rendering.posed_views.seen_box", lambda *_: (range(SIDE), range(SIDE)))
    np.testing.assert_array_equal(
        draw_view(mesh, white, pose, intrinsics, Picturing(side=SIDE, samples=samples)), boxed
    )


def test_a_face_sends_the_same_light_everywhere_it_is_seen_from_one_side_and_another_to_the_other_side():
    mesh = TracedMesh(upright((-0.5, 0.5), (-0.5, 0.5)))
    front, aside, behind = looking_at_origin(np.array([[0.0, -2, 0], [1.5, -1, 0.7], [0.0, 2, 0]]))
    light = [
        received(mesh, mesh.first_hits(pose, np.array([[0.01, 0.02, 1.0]])), pose)[0] for pose in (front, aside, behind)
    ]
    assert light[0] == light[1]
    assert light[0] != light[2]
