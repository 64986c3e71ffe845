from itertools import combinations

import numpy as np
import pytest
import trimesh

from sem3d.worlds.grammar import chairs, tables
from sem3d.worlds.grammar.chair_backs import BACKS
from sem3d.worlds.grammar.chair_bases import BASES as CHAIR_BASES
from sem3d.worlds.grammar.sketch import Part, Sketch, labelled_mesh
from sem3d.worlds.grammar.table_bases import BASES as TABLE_BASES
from sem3d.worlds.rooms import piece as rooms
from sem3d.worlds.rooms.furniture import FAMILIES
from sem3d.worlds.rooms.room import build_room
from sem3d.worlds.rooms.supply import ParametricSupply
from sem3d.worlds.shapes import shape as shapes
from sem3d.worlds.shapes.register import FAMILIES as ALONE
from sem3d.worlds.solids import box

DRAWS = {f"{style}_chair": (chairs.chair, style) for style in chairs.STYLES} | {
    f"{style}_table": (tables.table, style) for style in tables.STYLES
}
EVERY_STYLE = pytest.mark.parametrize("name", DRAWS)
PARTS_OF_KEYPOINT = {
    "back": ("back",),
    "seat": ("seat",),
    "foot": ("leg", "drawer"),
    "base": ("leg",),
    "star": ("leg",),
    "arm": ("arm",),
    "top": ("top",),
}
"""A desk may stand on its chests of drawers."""
HEIGHTS = {"dining": 0.7, "coffee": 0.33, "side": 0.46, "console": 0.76, "desk": 0.71}


def sketches(name: str, count: int = 24):
    draw, style = DRAWS[name]
    return [draw(np.random.default_rng([5, number]), style) for number in range(count)]


@EVERY_STYLE
def test_a_piece_of_a_room_and_a_single_shape_of_the_same_draw_have_the_same_parts(name):
    for sketch in sketches(name, 6):
        piece, shape = rooms.assemble("chair", 5, "x", sketch), shapes.assemble("chair", "x", sketch)
        assert piece.part_names == shape.part_names
        np.testing.assert_array_equal(piece.face_part, shape.face_part)
        assert [point.name for point in piece.keypoints] == [point.name for point in shape.keypoints]
        turned = piece.corners @ shapes.SHAPENET_FROM_SKETCH.T
        low, high = turned.min(axis=(0, 1)), turned.max(axis=(0, 1))
        center, side = (low + high) / 2, (high - low).max()
        np.testing.assert_allclose((turned - center) / side, shape.vertices[shape.faces], atol=1e-9)
        for here, there in zip(piece.keypoints, shape.keypoints, strict=True):
            np.testing.assert_allclose(
                (shapes.SHAPENET_FROM_SKETCH @ here.xyz - center) / side, there.xyz, atol=1e-9, err_msg=here.name
            )


@EVERY_STYLE
def test_the_colour_of_a_solid_of_a_shape_is_its_material_in_a_room_seen_from_afar(name):
    for sketch in sketches(name, 6):
        piece, shape = rooms.assemble("chair", 5, "x", sketch), shapes.assemble("chair", "x", sketch)
        means = np.array([material.mean_color for material in piece.materials])
        np.testing.assert_array_equal(means[piece.face_material], np.array(shape.solid_colors)[shape.face_solid])


@EVERY_STYLE
def test_a_keypoint_lies_on_the_surface_of_its_part(name):
    for sketch in sketches(name):
        mesh = labelled_mesh(sketch)
        assert len(mesh.keypoints) == len(sketch.marks) >= 6
        for point in mesh.keypoints:
            part = sketch.vocabulary.parts[mesh.face_part[point.face]]
            assert part in PARTS_OF_KEYPOINT[point.name.split("_")[0]]
            np.testing.assert_allclose(point.barycentric @ mesh.vertices[mesh.faces[point.face]], point.xyz, atol=1e-9)
            own = mesh.vertices[mesh.faces[mesh.face_part == mesh.face_part[point.face]]]
            nearest = trimesh.triangles.closest_point(own, np.broadcast_to(point.xyz, (len(own), 3)))
            assert np.linalg.norm(nearest - point.xyz, axis=1).min() < 1e-9
            assert np.linalg.norm(sketch.marks[point.name].point - point.xyz) < 0.04


@EVERY_STYLE
def test_every_solid_is_closed_and_faces_outward(name):
    for sketch in sketches(name):
        mesh = labelled_mesh(sketch)
        for number in range(len(sketch.parts)):
            solid = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_solid == number], process=False)
            assert solid.is_watertight
            assert solid.is_winding_consistent
            assert solid.volume > 0


def meet(first, second) -> bool:
    """Tell whether two boxes (low, high) come within a millimetre."""
    return bool((np.maximum(first[0], second[0]) <= np.minimum(first[1], second[1]) + 1e-3).all())


@EVERY_STYLE
def test_no_solid_floats(name):
    for sketch in sketches(name):
        boxes = [(part.solid.vertices.min(axis=0), part.solid.vertices.max(axis=0)) for part in sketch.parts]
        touching = [pair for pair in combinations(range(len(boxes)), 2) if meet(*(boxes[number] for number in pair))]
        groups = trimesh.graph.connected_components(touching, nodes=np.arange(len(boxes)), min_len=1)
        assert len(groups) == 1


@EVERY_STYLE
def test_furniture_has_the_proportions_of_furniture_and_stands_on_the_floor(name):
    for sketch in sketches(name):
        mesh = labelled_mesh(sketch)
        points = {point.name: point.xyz for point in mesh.keypoints}
        low, size = mesh.vertices.min(axis=0), np.ptp(mesh.vertices, axis=0)
        assert abs(low[2]) < 0.02
        assert all(abs(xyz[2]) < 0.08 for key, xyz in points.items() if key.startswith(("foot", "star", "base")))
        if name.endswith("chair"):
            assert 0.3 < points["seat_front_left"][2] < 0.56
            assert 0.36 < size[0] < 1.0
            assert 0.36 < size[1] < 1.15
            assert 0.7 < size[2] < 1.25
            assert points["back_top_left"][2] > points["seat_back_left"][2] + 0.1
        else:
            level, style = points["top_center"][2], name.removesuffix("_table")
            assert HEIGHTS[style] <= level < HEIGHTS[style] + 0.2
            assert size[0] < 2.0
            assert 0.3 < size[1] < 1.4
            assert len(sketch.tops) == 1
            assert sketch.tops[0].z == pytest.approx(level)


@EVERY_STYLE
def test_left_keypoints_mirror_right_ones(name):
    for sketch in sketches(name):
        points = {point.name: point.xyz for point in labelled_mesh(sketch).keypoints}
        for key, xyz in points.items():
            if key.endswith("_left"):
                assert xyz[0] > 0, key
                mirror = points[f"{key.removesuffix('left')}right"]
                np.testing.assert_allclose(mirror * [-1, 1, 1], xyz, atol=1e-9, err_msg=key)


def test_every_base_and_back_and_form_of_the_grammar_is_drawn_by_some_style():
    assert {base for style in chairs.STYLES.values() for base in style.bases} == CHAIR_BASES.keys()
    assert {back for style in chairs.STYLES.values() for back in style.backs} == BACKS.keys()
    assert {base for style in tables.STYLES.values() for base in style.bases} == {*TABLE_BASES, tables.CHESTS}
    assert {form for style in tables.STYLES.values() for form in style.forms} == {"square", *tables.EXPONENTS}


def test_a_style_varies_in_topology():
    for name in DRAWS:
        meshes = [labelled_mesh(sketch) for sketch in sketches(name)]
        assert len({(mesh.face_solid.max(), len(mesh.faces)) for mesh in meshes}) >= 6, name


def test_chairs_and_tables_of_a_room_know_their_parts_and_keypoints_and_keep_their_labels():
    wanted = {
        "chair": 5, "dining_chair": 5, "office_chair": 5, "easy_chair": 5,
        "dining_table": 7, "coffee_table": 7, "side_table": 7, "desk": 14, "sofa": 6, "bed": 4,
    }  # fmt: skip
    assert {kind: FAMILIES[kind][1] for kind in wanted} == wanted
    room = build_room("office", (0, 0, 3), ParametricSupply(0, "train", 3))
    pieces = [one.piece for one in room.furniture]
    for label, names in ((5, chairs.CHAIR), (14, tables.TABLE)):
        found = [piece for piece in pieces if piece.label == label]
        assert found
        for piece in found:
            assert piece.part_names == names.parts
            assert len(set(piece.face_part.tolist())) >= 2
            assert len(piece.keypoints) >= 6
            for point in piece.keypoints:
                np.testing.assert_allclose(point.barycentric @ piece.corners[point.face], point.xyz, atol=1e-9)
    others = [piece for piece in pieces if piece.label not in (5, 7, 14)]
    assert all(piece.part_names == ("body",) and not piece.face_part.any() and not piece.keypoints for piece in others)


def test_kinds_share_one_rule_of_colours_in_rooms_and_alone():
    draws = {kind: family.draw for kind, family in ALONE.items()}
    draws |= {f"{kind} in a room": FAMILIES[kind][0] for kind in ("dining_chair", "coffee_table", "sofa")}
    colors = {
        kind: np.array([draw(np.random.default_rng([1, n])).parts[0].material.mean_color for n in range(60)])
        for kind, draw in draws.items()
    }
    for first, second in combinations(colors.values(), 2):
        assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) < 1.2 * min(first.std(), second.std())


def test_a_part_that_its_family_does_not_know_is_refused():
    sketch = sketches("dining_chair", 1)[0]
    wing = Part(box((1, 1, 1), (0, 0, 0)), sketch.parts[0].material, "wing")
    with pytest.raises(ValueError, match="wing"):
        labelled_mesh(Sketch([*sketch.parts, wing], sketch.marks, sketch.vocabulary))
