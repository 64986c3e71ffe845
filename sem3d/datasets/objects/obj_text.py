"""Wavefront .obj as text: vertices, texture coordinates, and polygons cut into triangles; strict, in linear time.

Indices count from 1, or back from the line that names them where they are negative; a backslash continues a line, and words are
parted by spaces and tabs. What would silently become another shape, such as an index of 0, a vertex of two numbers or an unknown
word, is refused with its line. Libraries fall short: trimesh counts negative indices from the end of the file, cuts all polygons
as fans and takes time that grows with the square of the changes of material; tinyobjloader 2.0rc13 takes ``0,5`` and ``zz`` for
0, halves precision and knows no continued lines.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float, Int

from sem3d.datasets.objects.obj_lines import Statements, refuse_line, statements_of
from sem3d.errors import BadSample
from sem3d.geometry.polygons import triangulate
from sem3d.texts import decode_any_text

MOST_FACES = 1_000_000
LINES_AT_ONCE = 1 << 16
FARTHEST = 1e15
"""Largest coordinate; its products are still far from the largest number."""
INDICES = re.compile(r"[-+0-9/ ]*")


@dataclass(frozen=True, eq=False)
class ObjText:
    """Triangles of a file, those of one material together, in the order in which the materials are first used."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    coordinates: Float[np.ndarray, "face 3 2"]
    """Of each corner in its picture; 0 where the face has none."""
    textured: Bool[np.ndarray, " face"]
    """Faces whose corners all have coordinates."""
    face_material: Int[np.ndarray, " face"]
    """Place in ``materials``, ascending."""
    materials: tuple[str, ...]
    """Names; empty for faces that come before the first."""
    libraries: tuple[str, ...]
    """What stands after each ``mtllib``: one name or several."""
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Polygons:
    """Corners of all polygons, one after the other."""

    sizes: Int[np.ndarray, " polygon"]
    vertices: Int[np.ndarray, " corner"]
    coordinates: Int[np.ndarray, " corner"]
    """-1 where a corner has none."""
    materials: Int[np.ndarray, " polygon"]
    halved: Bool[np.ndarray, " polygon"]
    """Polygons of materials that have nothing but quadrilaterals, all written alike."""


def read_obj(content: bytes, source: str) -> ObjText:
    """Return the triangles of an .obj; raises :class:`BadSample` in the name of ``source`` for what is no such file."""
    text = decode_any_text(content, source)
    found = statements_of(text, source)
    vertices = number_table(found.vertices, 3, "v", text, source)
    flat = (row if len(row.split(None, 1)) > 1 or not row else f"{row} 0" for row in found.coordinates)
    coordinates = np.nan_to_num(number_table(list(flat), 2, "vt", text, source), posinf=0.0, neginf=0.0)
    polygons = polygons_of(found, text, source)
    count = int((polygons.sizes - 2).sum())
    if count > MOST_FACES:
        raise BadSample(source, f"huge mesh: {count} triangles, at most {MOST_FACES} can be used")
    if not (np.abs(vertices[polygons.vertices]) < FARTHEST).all():
        raise BadSample(source, f"degenerate mesh: a vertex is not finite, or farther than {FARTHEST:g}")
    owner, corners, crossing = triangles_of(vertices, polygons, source)
    material, names = used_materials(polygons.materials, list(found.materials))
    owner, corners = in_order(owner, corners, polygons, material)
    places = polygons.coordinates[corners]
    textured = places.min(axis=1) >= 0
    uv = np.zeros((len(corners), 3, 2))
    uv[textured] = coordinates[places[textured]]
    notes = [f"crossing polygon: {crossing} polygons cross themselves and are cut as they stand"] if crossing else []
    if found.vertices and len(found.vertices[0].split()) >= 6:
        notes.append("colours of vertices: they are not read")
    return ObjText(
        vertices=vertices,
        faces=polygons.vertices[corners],
        coordinates=uv,
        textured=textured,
        face_material=material[owner],
        materials=names,
        libraries=tuple(found.libraries),
        notes=tuple(notes),
    )


def number_table(
    rows: list[str], columns: int, word: str, text: str, source: str
) -> Float[np.ndarray, "row {columns}"]:
    """Return the first numbers of each row; raises :class:`BadSample` with the line of a row that has fewer."""
    if not rows:
        return np.zeros((0, columns))
    if "" not in rows:
        try:
            return np.loadtxt(rows, usecols=range(columns), comments=None, ndmin=2)
        except ValueError:
            pass
    wrong = next((place for place, row in enumerate(rows) if not are_numbers(row.split()[:columns], columns)), 0)
    refuse_line(text, (word,), wrong, f"needs {columns} numbers" if columns == 3 else "needs numbers", source)


def are_numbers(words: Sequence[str], count: int) -> bool:
    """Return whether these are as many numbers."""
    try:
        return len([float(word) for word in words]) == count
    except ValueError:
        return False


def polygons_of(found: Statements, text: str, source: str) -> Polygons:
    """Return polygons by indices that count from 0; raises :class:`BadSample` with the line of one that names no vertices."""
    sizes, vertices, coordinates, numbers = ([np.zeros(0, np.int64)] for _ in range(4))
    for start in range(0, len(found.faces), LINES_AT_ONCE):
        lines = found.faces[start : start + LINES_AT_ONCE]
        rows = [line.split() for line in lines]
        try:
            named = indices_of(list(chain.from_iterable(rows)))
        except (ValueError, OverflowError):
            wrong = next(place for place, row in enumerate(rows) if not are_corners(row))
            refuse_line(text, ("f", "fo"), start + wrong, "is no face", source)
        sizes.append(np.fromiter(map(len, rows), np.int64, len(rows)))
        vertices.append(named[0])
        coordinates.append(named[1])
        numbers.append(np.array([len(line.replace("/", " ").split()) for line in lines], np.int64))
    size, vertex, coordinate = np.concatenate(sizes), np.concatenate(vertices), np.concatenate(coordinates)
    polygon = np.repeat(np.arange(len(size)), size)
    places = np.where(vertex > 0, vertex - 1, np.array(found.vertices_before, np.int64)[polygon] + vertex)
    wrong = (vertex == 0) | (places < 0) | (places >= len(found.vertices))
    if wrong.any():
        first = int(wrong.argmax())
        reason = f"names vertex {vertex[first]} of {len(found.vertices)}, which count from 1"
        refuse_line(text, ("f", "fo"), int(polygon[first]), reason, source)
    uv = np.where(coordinate > 0, coordinate - 1, np.array(found.coordinates_before, np.int64)[polygon] + coordinate)
    uv[(coordinate == 0) | (uv < 0) | (uv >= len(found.coordinates))] = -1
    kept = size >= 3
    corners = kept[polygon]
    material = np.array(found.face_material, np.int64)
    halved = ~mixed(material, size, np.concatenate(numbers))[material]
    return Polygons(size[kept], places[corners], uv[corners], material[kept], halved[kept])


def mixed(
    material: Int[np.ndarray, " line"], size: Int[np.ndarray, " line"], numbers: Int[np.ndarray, " line"]
) -> Bool[np.ndarray, " material"]:
    """Return the materials that have other faces than quadrilaterals, or lines of different numbers of indices."""
    used, first = np.unique(material, return_index=True)
    usual = np.zeros(int(material.max(initial=-1)) + 1, np.int64)
    usual[used] = numbers[first]
    found = np.zeros(len(usual), bool)
    found[material[(size != 4) | (numbers != usual[material])]] = True
    return found


def indices_of(corners: list[str]) -> tuple[Int[np.ndarray, " corner"], Int[np.ndarray, " corner"]]:
    """Return indices of vertices, and of texture coordinates (0: none), of corners like 7, 7/3, 7/3/5 and 7//5.

    Raises ValueError or OverflowError for others.
    """
    together = " ".join(corners)
    if not INDICES.fullmatch(together):
        raise ValueError("no indices")
    if "/" not in together:
        return np.array([int(corner) for corner in corners], np.int64), np.zeros(len(corners), np.int64)
    parts = [corner.split("/") for corner in corners]
    if max(map(len, parts)) > 3:
        raise ValueError("more than three indices")
    vertices = np.array([int(part[0]) for part in parts], np.int64)
    return vertices, np.array([int(part[1]) if len(part) > 1 and part[1] else 0 for part in parts], np.int64)


def are_corners(words: list[str]) -> bool:
    """Return whether :func:`indices_of` takes these."""
    try:
        indices_of(words)
    except (ValueError, OverflowError):
        return False
    return True


def triangles_of(
    vertices: Float[np.ndarray, "vertex 3"], polygons: Polygons, source: str
) -> tuple[Int[np.ndarray, " triangle"], Int[np.ndarray, "triangle 3"], int]:
    """Return the polygon of each triangle, its corners as places in the corners of all polygons, and how many polygons cross
    themselves.
    """
    starts = np.cumsum(polygons.sizes) - polygons.sizes
    order = np.argsort(polygons.sizes, kind="stable")
    cuts = np.flatnonzero(np.diff(polygons.sizes[order])) + 1
    owners, triangles, crossing, effort = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.int64)], 0, 0
    for same in np.split(order, cuts) if len(order) else []:
        corners = starts[same][:, None] + np.arange(int(polygons.sizes[same[0]]))
        try:
            cut = triangulate(vertices, polygons.vertices[corners], effort)
        except ValueError as error:
            raise BadSample(source, f"huge mesh: it takes too long to cut {error}") from error
        effort = cut.effort
        owners.append(same[cut.owner])
        triangles.append(np.take_along_axis(corners[cut.owner], cut.places, axis=1))
        crossing += int(cut.crossing.sum())
    return np.concatenate(owners), np.concatenate(triangles), crossing


def used_materials(
    materials: Int[np.ndarray, " polygon"], names: list[str]
) -> tuple[Int[np.ndarray, " polygon"], tuple[str, ...]]:
    """Return materials numbered in the order in which polygons first use them, and their names."""
    used, first, place = np.unique(materials, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[place], tuple(names[number] for number in used[order].tolist())


def in_order(
    owner: Int[np.ndarray, " triangle"],
    corners: Int[np.ndarray, "triangle 3"],
    polygons: Polygons,
    material: Int[np.ndarray, " polygon"],
) -> tuple[Int[np.ndarray, " triangle"], Int[np.ndarray, "triangle 3"]]:
    """Return triangles by material, then as the polygons stand in the file.

    Where a material has nothing but quadrilaterals, all written alike, their first halves come before their second ones: the
    order that renders have always been made in, and of two faces at one depth the first is seen.
    """
    second = np.zeros(len(owner), np.int64)
    second[1:] = (owner[1:] == owner[:-1]) & polygons.halved[owner[1:]]
    order = np.lexsort((owner, second, material[owner]))
    return owner[order], corners[order]
