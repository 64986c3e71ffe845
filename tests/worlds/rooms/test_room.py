import hashlib
from itertools import combinations

import numpy as np
import pytest

from sem3d.datasets.scans.labels import NYU40_IDS
from sem3d.errors import UserError
from sem3d.worlds.rooms.cameras import camera_path, pose
from sem3d.worlds.rooms.furniture import FAMILIES, parametric_piece
from sem3d.worlds.rooms.layout import Layout, NoPlaceLeft, Placed, intersect
from sem3d.worlds.rooms.recipes import RECIPES
from sem3d.worlds.rooms.room import build_room
from sem3d.worlds.rooms.supply import ParametricSupply
from sem3d.worlds.rooms.walkable import walkable_floor


def room_of(kind: str, seed: int, split: str = "train"):
    return build_room(kind, (seed, split == "val"), ParametricSupply(seed, split, 0))


@pytest.fixture(scope="module", params=list(RECIPES))
def room(request):
    return room_of(request.param, 11)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_stands_on_its_floor_and_varies_in_shape_and_look(kind):
    sizes = (1.4, 1.9) if kind == "curtain" else ()
    pieces = [parametric_piece(kind, (1, number), *sizes) for number in range(6)]
    for piece in pieces:
        low, high = piece.corners.reshape(-1, 3).min(axis=0), piece.corners.reshape(-1, 3).max(axis=0)
        np.testing.assert_allclose([low[0] + high[0], low[1] + high[1], low[2]], 0.0, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(piece.normals, axis=-1), 1.0, atol=1e-6)
        assert 8 < len(piece.corners) < 6000
        assert 0.02 < piece.size.max() < 3.2
    assert len({piece.corners.tobytes() for piece in pieces}) == 6
    assert len({piece.materials[0].color for piece in pieces}) > 2


def test_the_same_integers_give_the_same_piece_and_other_integers_another():
    first, again, other = (parametric_piece("chair", seed) for seed in ((0, 0, 3), (0, 0, 3), (0, 1, 3)))
    np.testing.assert_array_equal(first.corners, again.corners)
    assert first.corners.shape != other.corners.shape or not np.array_equal(first.corners, other.corners)


def test_no_two_pieces_of_a_room_intersect(room):
    for first, second in combinations(room.furniture, 2):
        assert not intersect(first, second) or room.furniture.index(first) == second.host
    for one in room.furniture:
        if one.host >= 0:
            host = room.furniture[one.host]
            assert one.z <= host.top + 1e-6
            assert host.contains(one.center[None]).all()


def test_all_furniture_is_inside_the_room_and_there_are_at_least_five_pieces(room):
    for one in room.furniture:
        corners = one.center + np.array([[a, b] for a in (-1, 1) for b in (-1, 1)]) * one.half @ one.axes
        assert (corners >= -1e-6).all()
        assert (corners <= np.array(room.size[:2]) + 1e-6).all()
        assert one.top <= room.size[2] + 1e-6
    standing = [one for one in room.furniture if one.host < 0 and one.piece.label not in (8, 9, 11, 16)]
    assert 5 <= len(standing) <= 14


def test_rotated_boxes_intersect_exactly_when_they_overlap():
    square = parametric_piece("crate", (0,))
    half = square.size[:2] / 2
    here = Placed(square, 0.0, 0.0)
    assert intersect(here, Placed(square, 2 * half[0] - 0.01, 0.0))
    assert not intersect(here, Placed(square, 2 * half[0] + 0.01, 0.0))
    assert intersect(here, Placed(square, 2 * half[0] + 0.01, 0.0), margin=0.02)
    assert not intersect(here, Placed(square, 0.0, 0.0, float(square.size[2])))
    diagonal = np.hypot(*half)
    reach = abs(half[0] * np.cos(np.pi / 4)) + abs(half[1] * np.sin(np.pi / 4))
    assert diagonal >= reach
    assert intersect(here, Placed(square, half[0] + reach - 0.01, 0.0, 0.0, np.pi / 4))
    assert not intersect(here, Placed(square, half[0] + reach + 0.01, 0.0, 0.0, np.pi / 4))


def test_a_full_room_refuses_further_furniture():
    layout = Layout(2.5, 2.5, 2.5, np.random.default_rng(0))
    layout.free(parametric_piece("bed", (0,)))
    wardrobes = [parametric_piece("wardrobe", (number,)) for number in range(9)]
    with pytest.raises(NoPlaceLeft):
        [layout.free(wardrobe) for wardrobe in wardrobes]


def test_a_room_that_never_fits_is_an_error_and_not_a_smaller_room():
    def supply(kind: str, *sizes: float):
        piece = parametric_piece(kind, (0, 0), *sizes)
        object.__setattr__(piece, "corners", piece.corners * 6.0)
        return piece

    with pytest.raises(UserError, match="no bathroom could be furnished"):
        build_room("bathroom", (0,), supply)


def test_the_camera_walks_inside_the_room_between_the_furniture(room):
    poses = camera_path(room, 60, (5,))
    position = poses[:, :3, 3]
    assert (position > 0.1).all()
    assert (position < np.array(room.size) - 0.1).all()
    assert (position[:, 2] > 1.1).all()
    assert (position[:, 2] < 1.85).all()
    for one in room.furniture:
        assert not (one.contains(position[:, :2]) & (position[:, 2] < one.top) & (position[:, 2] > one.z)).any()
    rotation = poses[:, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (60, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    assert (rotation[:, 2, 1] < -0.5).all(), "the camera's y axis points down"
    turn = (rotation[1:] * rotation[:-1]).sum(axis=(1, 2))
    assert np.rad2deg(np.arccos(np.clip((turn - 1) / 2, -1, 1))).max() < 28
    assert np.linalg.norm(np.diff(position, axis=0), axis=1).max() < 0.25


def test_a_level_pose_has_opencv_axes():
    world_from_camera = pose(np.array([1.0, 2.0, 1.5]), 0.0, 0.0, 0.0)
    np.testing.assert_allclose(world_from_camera[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


def test_train_and_validation_rooms_share_no_furniture():
    def instances(split: str) -> tuple[set[str], set[str]]:
        names, shapes = set(), set()
        for number, kind in enumerate(RECIPES):
            furniture = build_room(kind, (0, split == "val", number), ParametricSupply(0, split, number)).furniture
            names |= {one.piece.identity for one in furniture}
            shapes |= {hashlib.sha256(one.piece.corners.tobytes()).hexdigest() for one in furniture}
        return names, shapes

    train, val = instances("train"), instances("val")
    assert not train[0] & val[0]
    assert not train[1] & val[1]


def test_a_dozen_rooms_hold_all_twenty_classes_of_the_benchmark():
    labels: set[int] = set()
    for number in range(2):
        for kind in RECIPES:
            labels |= set(np.unique(room_of(kind, 20 + number).surface.label).tolist())
    assert set(NYU40_IDS) - {0} <= labels


def test_instances_of_a_class_differ_in_colour_and_classes_share_colours():
    colors = {
        kind: np.array([parametric_piece(kind, (7, number)).materials[0].color for number in range(24)])
        for kind in ("dining_chair", "sofa", "sideboard", "desk")
    }
    for first, second in combinations(colors.values(), 2):
        assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) < 1.2 * min(first.std(), second.std())


def test_the_walkable_floor_is_the_largest_free_piece_of_the_floor():
    wardrobe = parametric_piece("wardrobe", (0,))
    across = [Placed(wardrobe, 0.5 + 1.0 * number, 2.6) for number in range(4)]
    floor = walkable_floor((4.0, 4.0, 2.5), across)
    assert floor[20, 10]
    assert not floor[20, 26]
    assert not floor[20, 34], "the smaller piece behind the wardrobes is out of reach"
    with pytest.raises(NoPlaceLeft):
        walkable_floor((1.2, 1.2, 2.5), [])
