"""The text of .obj files: right, or refused with the line."""

import io
import time

import numpy as np
import pytest
import trimesh

from sem3d.datasets.objects.obj_text import read_obj
from sem3d.errors import BadSample

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
TWO = [[0, 1, 2], [2, 3, 0]]
CORNERS = [(a, b, c) for a in (-0.4, 0.4) for b in (-0.5, 0.5) for c in (-0.3, 0.3)]
QUADS = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]


def read(text: str):
    return read_obj(text.encode(), "x.obj")


def area(found) -> float:
    corners = found.vertices[found.faces]
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


def box(up: float) -> str:
    lines = [f"v {a} {0.4 * b + up} {c}\n" for a, b, c in CORNERS]
    return "".join(lines + [f"f {a - 9} {b - 9} {c - 9} {d - 9}\n" for a, b, c, d in QUADS])


def test_negative_indices_count_back_from_their_face():
    found = read(box(-0.3) + box(0.3))
    assert sorted(set(found.faces.ravel().tolist())) == list(range(16))
    np.testing.assert_allclose(np.ptp(found.vertices[found.faces].reshape(-1, 3), axis=0), [0.8, 1.0, 0.6])
    textured = read(SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nf -4/-3 -3/-2 -2/-1\nvt 0.5 0.5\nf 1/-1 2/1 3/2\n")
    np.testing.assert_array_equal(textured.coordinates[0], [[0, 0], [1, 0], [1, 1]])
    np.testing.assert_array_equal(textured.coordinates[1], [[0.5, 0.5], [0, 0], [1, 0]])


def test_concave_faces_have_the_area_of_their_outline():
    outline = [(0, 0), (1, 0), (1, 0.25), (0.25, 0.25), (0.25, 1), (0, 1)]
    ends = "".join(f"v {a} {b} {z}\n" for z in (0, 0.3) for a, b in outline) + "f 3 2 1 6 5 4\nf 8 9 10 11 12 7\n"
    sides = "".join(f"f {i + 1} {(i + 1) % 6 + 1} {(i + 1) % 6 + 7} {i + 7}\n" for i in range(6))
    assert area(read(ends + sides)) == pytest.approx(2 * 0.4375 + 4 * 0.3)


@pytest.mark.parametrize(
    "face",
    [
        *("f 1 2 3 4", "f\t1\t2\t3\t4", "  f  1 2 \t3 4  ", "f 1 2 \\\n3 4", "f 1 2\\\n3\\\n4", "f 1 2 3 4 # last"),
        *("f 1// 2// 3// 4//", "f 1/ 2/ 3/ 4/", "f 1//1 2//1 3//1 4//1", "f +1 2 3 4", "fo 1 2 3 4", "f 1 2 3 -1"),
        *("l 1 2\nf 1 2 3 4", "f 1 2\nf 1 2 3 4", "s off\ng a b\no c\nf 1 2 3 4", "vn 0 0 1\nvp 0\nf 1 2 3 4"),
        *("#f 9 9 9\\\nf 1 2 3 4", "\n \nf 1 2 3 4", "p 1\nf 1 2 3 4\nend"),
    ],
)
def test_ways_to_write_one_face(face: str):
    assert read(SQUARE + face).faces.tolist() == TWO
    assert read(f"{SQUARE}{face}\n".replace("\n", "\r\n")).faces.tolist() == TWO


@pytest.mark.parametrize(
    "before", ["", "v 1 2 3 1.0\n", "v 1 2 3 0.5 0.5 0.5\n", "v 1e0 +2.5E-3 .5\n", "v 1 2 3 # top\n"]
)
def test_ways_to_write_a_vertex(before: str):
    found = read(before + SQUARE.replace(" ", "\t") + "f -1 -2 -3")
    np.testing.assert_array_equal(found.vertices[found.faces[0]], [[0, 1, 0], [1, 1, 0], [1, 0, 0]])


def test_texture_coordinates_of_one_number_or_three_are_read():
    found = read(SQUARE + "vt 0.25\nvt 1 0.5 0\nvt .5 1\nf 1/1 2/2 3/3")
    np.testing.assert_array_equal(found.coordinates[0], [[0.25, 0], [1, 0.5], [0.5, 1]])
    assert found.textured.tolist() == [True]
    assert read(SQUARE + "vt 0 0\nf 1/1 2/2 3/3\nf 1/1 2/1 3/1\nf 1 2 3").textured.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("f 0 1 2", "line 5 names vertex 0 of 4, which count from 1: 'f 0 1 2'"),
        ("f 1 2 9", "line 5 names vertex 9 of 4"),
        ("f -1 -2 -5", "line 5 names vertex -5 of 4"),
        ("f -5 -2 -1\nv 1 1 1", "line 5 names vertex -5 of 5"),
        ("f 1 2 3.5", "line 5 is no face"),
        ("f 1 2 x", "line 5 is no face: 'f 1 2 x'"),
        ("f 1 /1 2 3", "line 5 is no face"),
        ("f 1/1/1/1 2 3", "line 5 is no face"),
        ("f 1 2 3\nf 1 2 99999999999999999999", "line 6 is no face"),
        ("f 1 2 \u0663", "line 5 is no face"),
        ("f 1_0 2 3", "line 5 is no face"),
        ("v 1 2\nf 1 2 3", "line 5 needs 3 numbers: 'v 1 2'"),
        ("v 0,5 1 2\nf 1 2 3", "line 5 needs 3 numbers"),
        ("v\nf 1 2 3", "line 5 needs 3 numbers"),
        ("vt a\nf 1/1 2/1 3/1", "line 5 needs numbers: 'vt a'"),
        ("x 1 2 3\nf 1 2 3", "line 5 is of a kind that is not read: 'x 1 2 3'"),
        ("F 1 2 3", "line 5 is of a kind"),
        ("surf 0 1 0 1 1 2 3", "line 5 is of a kind"),
        ("call other.obj", "line 5 is of a kind"),
        ("\\\n\\\nf 1 2 9", "line 5 names vertex 9"),
    ],
)
def test_what_would_become_another_shape_is_refused_with_its_line(text: str, words: str):
    with pytest.raises(BadSample) as fault:
        read(SQUARE + text)
    assert words in str(fault.value)
    assert str(fault.value).startswith("x.obj: unreadable mesh: ")
    assert "\n" not in str(fault.value)


def test_vertices_that_are_no_numbers_are_refused_where_a_face_has_them():
    for number in ("nan", "inf", "1e400", "1e200"):
        with pytest.raises(BadSample, match="degenerate mesh: a vertex is not finite"):
            read(f"v {number} 0 0\n{SQUARE}f 1 2 3")
        assert len(read(f"v {number} 0 0\n{SQUARE}f 2 3 4").faces) == 1


def test_crossing_polygons_and_colours_of_vertices_are_noted():
    assert read(SQUARE + "f 1 2 4 3\n").notes == (
        "crossing polygon: 1 polygons cross themselves and are cut as they stand",
    )
    assert read("v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 1 1 0 1 0 0\nf 1 2 3").notes == (
        "colours of vertices: they are not read",
    )
    assert read(SQUARE + "f 1 2 3 4").notes == ()


def test_twenty_thousand_changes_of_material_take_no_time():
    text = SQUARE + "".join(f"usemtl m{number % 2}\nf 1 2 3\n" for number in range(20_000))
    start = time.process_time()
    found = read(text)
    assert time.process_time() - start < 5
    assert (len(found.faces), found.materials) == (20_000, ("m0", "m1"))
    assert found.face_material.tolist() == [0] * 10_000 + [1] * 10_000


def test_a_line_continued_without_end_takes_no_time():
    start = time.process_time()
    assert read(SQUARE + "f 1 2 3" + " \\\n" * 200_000 + " 4").faces.tolist() == TWO
    assert time.process_time() - start < 5


HEALTHY = {
    "triangles": SQUARE + "f 1 2 3\nf 1 3 4\n",
    "quads": SQUARE + "v 0 0 1\nv 1 0 1\nf 1 2 3 4\nf 1 5 6 2\n",
    "mixed": SQUARE + "v 0 0 1\nf 1 2 3 4\nf 1 2 5\nf 4 3 2 1\n",
    "pentagons": SQUARE + "v -1 0.5 0\nf 1 2 3 4 5\nf 5 4 3 2 1\n",
    "textured": SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\nf 1/3 3/2 4/1\n",
}


@pytest.mark.parametrize("kind", HEALTHY)
def test_a_healthy_mesh_has_the_triangles_that_trimesh_gives(kind: str):
    found = read(HEALTHY[kind])
    scene = trimesh.load_scene(io.BytesIO(HEALTHY[kind].encode()), file_type="obj", process=False)
    (other,) = scene.geometry.values()
    np.testing.assert_array_equal(found.vertices[found.faces], other.vertices[other.faces])
    if kind == "textured":
        np.testing.assert_array_equal(found.coordinates, other.visual.uv[other.faces])
