import json

import numpy as np
import pytest
import trimesh

from sem3d.errors import UserError
from sem3d.worlds.shapes.register import FAMILIES, generated_shape, mirror_name
from sem3d.worlds.shapes.write import ShapesConfig, write_shape, write_shapes

SOME = range(12)
EVERY_KIND = pytest.mark.parametrize("kind", FAMILIES)


def solids(shape):
    """Each solid of a shape as a mesh."""
    return [
        trimesh.Trimesh(shape.vertices, shape.faces[shape.face_solid == number], process=False)
        for number in range(len(shape.solid_colors))
    ]


@EVERY_KIND
def test_a_shape_is_centred_and_its_longest_side_is_one(kind):
    for number in SOME:
        shape = generated_shape(kind, 0, number)
        low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-12)
        assert (high - low).max() == pytest.approx(1)


@EVERY_KIND
def test_every_solid_is_closed_and_faces_outward(kind):
    for number in SOME:
        for solid in solids(generated_shape(kind, 0, number)):
            assert solid.is_watertight
            assert solid.is_winding_consistent
            assert solid.volume > 0


@EVERY_KIND
def test_every_face_has_one_part_and_a_solid_is_of_one_part(kind):
    for number in SOME:
        shape = generated_shape(kind, 0, number)
        assert len(shape.face_part) == len(shape.faces) == len(shape.face_solid)
        assert set(shape.face_part) <= set(range(len(shape.part_names)))
        for solid in range(len(shape.solid_colors)):
            assert len(set(shape.face_part[shape.face_solid == solid])) == 1


@EVERY_KIND
def test_a_keypoint_lies_on_the_face_it_names(kind):
    for number in SOME:
        shape = generated_shape(kind, 0, number)
        assert len(shape.keypoints) >= 4
        for point in shape.keypoints:
            corners = shape.vertices[shape.faces[point.face]]
            np.testing.assert_allclose(point.barycentric @ corners, point.xyz, atol=1e-12)
            assert point.barycentric.min() >= 0
            assert point.barycentric.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["airplane", "car", "chair", "table"])
def test_left_keypoints_mirror_right_ones_and_left_is_at_negative_x(kind):
    compared = 0
    for number in SOME:
        points = {point.name: point.xyz for point in generated_shape(kind, 0, number).keypoints}
        for name, xyz in points.items():
            if name.endswith("left"):
                assert xyz[0] < 0, name
                np.testing.assert_allclose(points[mirror_name(name)] * [-1, 1, 1], xyz, atol=1e-9, err_msg=name)
                compared += 1
    assert compared > 20


def test_front_is_at_negative_z_and_up_is_y():
    for number in SOME:
        chair = {point.name: point.xyz for point in generated_shape("chair", 0, number).keypoints}
        assert chair["seat_front_left"][2] < chair["seat_back_left"][2]
        assert chair["back_top_left"][1] > chair["seat_back_left"][1]
        assert chair["back_top_left"][2] > chair["seat_front_left"][2]
        plane = {point.name: point.xyz for point in generated_shape("airplane", 0, number).keypoints}
        assert plane["nose"][2] < plane["tail_end"][2]
        car = {point.name: point.xyz for point in generated_shape("car", 0, number).keypoints}
        assert car["wheel_front_left"][2] < car["wheel_back_left"][2]
        assert car["roof_front_left"][1] > car["wheel_front_left"][1]


@EVERY_KIND
def test_the_same_numbers_give_the_same_shape_and_others_another(kind):
    first, again, other = (generated_shape(kind, *numbers) for numbers in ((3, 1), (3, 1), (4, 1)))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert first.vertices.shape != other.vertices.shape or np.abs(first.vertices - other.vertices).max() > 1e-3


@EVERY_KIND
def test_a_family_varies_in_topology(kind):
    shapes = [generated_shape(kind, 0, number) for number in SOME]
    assert len({(len(shape.solid_colors), len(shape.faces)) for shape in shapes}) >= 5


@EVERY_KIND
def test_a_written_shape_reads_back_and_trimesh_agrees(kind, tmp_path):
    shape = generated_shape(kind, 0, 2)
    path = write_shape(tmp_path, shape)
    assert path.relative_to(tmp_path).parts == (
        FAMILIES[kind].synset,
        shape.identity,
        "models",
        "model_normalized.obj",
    )
    words = [line.split() for line in path.read_text().splitlines()]
    vertices = [[float(x) for x in word[1:]] for word in words if word[0] == "v"]
    np.testing.assert_allclose(vertices, shape.vertices, atol=1e-9)
    faces = [[int(corner) - 1 for corner in word[1:]] for word in words if word[0] == "f"]
    np.testing.assert_array_equal(faces, shape.faces)
    labels = json.loads(path.with_suffix(".json").read_text())
    assert labels["face_part"] == shape.face_part.tolist()
    assert labels["face_solid"] == shape.face_solid.tolist()
    assert [point["name"] for point in labels["keypoints"]] == [point.name for point in shape.keypoints]
    shown = [line.split()[1:] for line in path.with_suffix(".mtl").read_text().splitlines() if line[:3] == "Kd "]
    np.testing.assert_allclose(np.array(shown, float) ** 2.2, shape.solid_colors, atol=1e-3)
    groups = trimesh.load_scene(path, group_material=False, split_object=True)
    assert sum(len(mesh.faces) for mesh in groups.geometry.values()) == len(shape.faces)


def test_shapes_are_found_again_and_other_content_is_not_overwritten(tmp_path):
    config = ShapesConfig(kinds=("table",), objects=2)
    out = write_shapes(tmp_path / "meshes", config)
    stamp = (out / "shapes.json").stat().st_mtime_ns
    assert write_shapes(out, config) == out
    assert (out / "shapes.json").stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match="another configuration"):
        write_shapes(out, ShapesConfig(kinds=("table",), objects=3))
    with pytest.raises(UserError, match="no generated shapes"):
        write_shapes(tmp_path, config)


def test_an_unknown_family_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="'boat': choose of airplane"):
        write_shapes(tmp_path / "x", ShapesConfig(kinds=("boat",)))
