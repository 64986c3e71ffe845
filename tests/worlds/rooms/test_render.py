import dataclasses

import numpy as np
import pytest
import torch

from sem3d.worlds.rooms.cameras import camera_path, pose
from sem3d.worlds.rooms.layout import Placed
from sem3d.worlds.rooms.render import TracedRoom, render_view
from sem3d.worlds.rooms.room import Lighting, Room, build_room, flat_piece, join_surface
from sem3d.worlds.rooms.sensor import SensorNoise, observed_color, observed_depth
from sem3d.worlds.rooms.supply import ParametricSupply
from sem3d.worlds.textures import Material, Texture

GREY = Material(texture=Texture.PLAIN, color=(0.5, 0.5, 0.5), second=(0.5, 0.5, 0.5))
LENS = np.array([[90.0, 0.0, 49.5], [0.0, 90.0, 39.5], [0.0, 0.0, 1.0]])
NO_NOISE = SensorNoise(color=0.0, exposure=0.0, white_balance=0.0, depth=0.0, missing=0.0, grazing=0.0, farthest=100.0)


def hand_made_room(*placed: Placed) -> Room:
    lamp = Lighting(ambient=np.full(3, 0.4), positions=np.array([[0.0, -3.0, 2.3]]), colors=np.ones((1, 3)))
    return Room("made", (6.0, 6.0, 2.5), placed, join_surface(list(placed)), lamp, 0)


def box_before_a_wall() -> TracedRoom:
    chair = Placed(flat_piece("chair", 5, (0.9, 1.0, 1.0), GREY), 0.0, 0.5, 0.5)
    wall = Placed(flat_piece("wall0", 1, (9.0, 0.1, 10.0), GREY), 0.0, 2.05, -4.0)
    return TracedRoom(hand_made_room(chair, wall))


def test_each_pixel_of_a_box_before_a_wall_has_its_label_instance_and_depth():
    view = render_view(box_before_a_wall(), pose(np.array([0.0, -3.0, 1.1]), np.pi / 2, 0.0, 0.0), LENS, (80, 100))
    v, u = np.mgrid[:80, :100]
    across, down = (u - 49.5) / 90.0 * 3.0, (v - 39.5) / 90.0 * 3.0
    on_box = (np.abs(across) < 0.45) & (down > -0.4) & (down < 0.6)
    np.testing.assert_array_equal(view.label, np.where(on_box, 5, 1))
    np.testing.assert_array_equal(view.instance, np.where(on_box, 5001, 1001))
    np.testing.assert_allclose(view.depth, np.where(on_box, 3.0, 5.0), rtol=1e-5)


def test_a_camera_that_looks_along_y_sees_plus_x_on_the_right_and_up_above():
    ball = Placed(flat_piece("lamp", 39, (0.2, 0.2, 0.2), GREY), 0.6, 0.0, 1.6)
    view = render_view(
        TracedRoom(hand_made_room(ball)), pose(np.array([0.0, -3.0, 1.1]), np.pi / 2, 0.0, 0.0), LENS, (80, 100)
    )
    rows, columns = np.nonzero(view.label)
    assert columns.min() > 50
    assert rows.max() < 39
    assert (view.color[view.label == 0] == 0).all()
    assert (view.depth[view.label == 0] == 0).all()


def test_a_lamp_behind_a_board_leaves_its_shadow():
    wall = Placed(flat_piece("wall0", 1, (9.0, 0.1, 10.0), GREY), 0.0, 2.05, -4.0)
    board = Placed(flat_piece("door", 8, (0.5, 0.05, 0.5), GREY), 0.0, 0.0, 2.0)
    lens = np.array([[60.0, 0.0, 49.5], [0.0, 60.0, 39.5], [0.0, 0.0, 1.0]])
    camera = pose(np.array([0.0, -3.0, 1.1]), np.pi / 2, 0.0, 0.0)
    bare = render_view(TracedRoom(hand_made_room(wall)), camera, lens, (80, 100)).color.astype(int)
    shaded = render_view(TracedRoom(hand_made_room(wall, board)), camera, lens, (80, 100))
    darker = (bare.sum(axis=2) - shaded.color.astype(int).sum(axis=2) > 60) & (shaded.label == 1)
    assert darker.sum() > 20


def test_depth_and_faces_agree_with_the_rasteriser_of_pytorch3d():
    from pytorch3d.renderer.mesh import rasterize_meshes
    from pytorch3d.structures import Meshes

    room = build_room("office", (3, 0, 0), ParametricSupply(3, "train", 0))
    world_from_camera = camera_path(room, 4, (3, 0, 0))[2]
    size, focal = 40, 36.0
    lens = np.array([[focal, 0.0, (size - 1) / 2], [0.0, focal, (size - 1) / 2], [0.0, 0.0, 1.0]])
    corners = (room.surface.corners - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    ahead = np.flatnonzero((corners[..., 2] > 0.05).all(axis=1))
    columns = ("corners", "local", "normals", "uv", "material", "label", "instance")
    part = dataclasses.replace(room.surface, **{name: getattr(room.surface, name)[ahead] for name in columns})
    ours = render_view(TracedRoom(dataclasses.replace(room, surface=part)), world_from_camera, lens, (size, size))
    pixel = corners[ahead] @ lens.T
    pixel[..., :2] /= pixel[..., 2:]
    screen = np.stack([*(1.0 - (2.0 * pixel[..., k] + 1.0) / size for k in range(2)), pixel[..., 2]], axis=-1)
    vertices = torch.tensor(screen.reshape(-1, 3), dtype=torch.float32)
    mesh = Meshes([vertices], [torch.arange(len(vertices)).reshape(-1, 3)])
    face, depth, *_ = rasterize_meshes(mesh, image_size=size, faces_per_pixel=1, perspective_correct=True, bin_size=0)
    face, depth = face[0, ..., 0].numpy(), depth[0, ..., 0].numpy()
    theirs = np.where(face >= 0, depth, 0.0)
    labels = np.where(face >= 0, part.label[face], 0)
    agree = np.abs(ours.depth - theirs) < 1e-3
    assert (ours.depth > 0).mean() > 0.5
    assert agree.mean() > 0.995
    assert (ours.label == labels)[agree].mean() > 0.995


@pytest.mark.parametrize("kind", ["bedroom", "bathroom"])
def test_a_closed_room_fills_every_pixel_with_a_label(kind):
    room = build_room(kind, (0, 0, 5), ParametricSupply(0, "train", 5))
    traced = TracedRoom(room)
    for world_from_camera in camera_path(room, 3, (0, 1)):
        view = render_view(traced, world_from_camera, LENS, (80, 100))
        assert (view.label > 0).all()
        assert (view.instance // 1000 == view.label).all()
        assert (view.depth > 0.05).all()
        assert view.color.std() > 5


def test_without_noise_the_sensor_sees_the_exact_view_and_with_it_depth_stays_near():
    view = render_view(box_before_a_wall(), pose(np.array([0.0, -3.0, 1.1]), np.pi / 2, 0.0, 0.0), LENS, (80, 100))
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(observed_color(view, NO_NOISE, rng), view.color)
    np.testing.assert_array_equal(observed_depth(view, NO_NOISE, rng), np.rint(view.depth * 1000).astype(np.uint16))
    noisy = observed_depth(view, SensorNoise(), rng)
    kept = noisy > 0
    assert 0.93 < kept.mean() < 0.999
    assert 0.002 < np.abs(noisy[kept] / 1000.0 - view.depth[kept]).mean() < 0.04
    assert (observed_depth(view, SensorNoise(farthest=4.0), rng)[view.depth > 4.0] == 0).all()
