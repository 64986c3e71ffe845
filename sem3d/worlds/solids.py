"""Solids that furniture is built from: boxes, rounded boxes, rods, lofts, folded sheets. z is up, lengths are metres."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

Point = Sequence[float | int] | Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class Solid:
    """A triangle mesh whose vertices are shared between neighbouring faces."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]


def box(size: Point, center: Point) -> Solid:
    """Make an axis-aligned box."""
    signs, faces = cube_grid(1)
    return Solid(signs * np.asarray(size) / 2.0 + np.asarray(center), faces)


def box_between(low: Point, high: Point) -> Solid:
    """Make an axis-aligned box given by two opposite corners."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return box(high - low, (high + low) / 2.0)


def rounded_box(size: Point, center: Point, exponent: float = 6.0, cuts: int = 4) -> Solid:
    """Make a box with soft corners, as a cushion has: a superellipsoid; a larger exponent is boxier."""
    grid, faces = cube_grid(cuts)
    length = (np.abs(grid) ** exponent).sum(axis=1, keepdims=True) ** (1.0 / exponent)
    return Solid(grid / length * np.asarray(size) / 2.0 + np.asarray(center), faces)


@cache
def cube_grid(cuts: int) -> tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]:
    """Make the surface of the cube [-1, 1]^3 with each side cut into ``cuts`` x ``cuts`` squares."""
    ticks = np.tan(np.linspace(-np.pi / 4.0, np.pi / 4.0, cuts + 1))
    first, second = np.meshgrid(ticks, ticks, indexing="ij")
    square = grid_faces(cuts + 1, cuts + 1)
    vertices, faces = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            side = np.empty((cuts + 1, cuts + 1, 3))
            side[..., axis] = sign
            side[..., (axis + 1) % 3], side[..., (axis + 2) % 3] = first, second
            faces.append((square if sign > 0 else square[:, ::-1]) + len(vertices) * (cuts + 1) ** 2)
            vertices.append(side.reshape(-1, 3))
    unique, inverse = np.unique(np.concatenate(vertices).round(9), axis=0, return_inverse=True)
    return unique, inverse.reshape(-1)[np.concatenate(faces)]


def grid_faces(rows: int, columns: int) -> Int[np.ndarray, "face 3"]:
    """Make two triangles for each cell of a grid of vertices numbered row by row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    below = corner + np.array([0, columns, columns + 1])
    return np.concatenate([below, corner + np.array([0, columns + 1, 1])])


def rod(start: Point, end: Point, radius: float, end_radius: float | None = None, sections: int = 8) -> Solid:
    """Make a round bar, tapered when ``end_radius`` is given."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    axis = (end - start) / np.linalg.norm(end - start)
    aside = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.7 else [0.0, 1.0, 0.0])
    aside /= np.linalg.norm(aside)
    angle = np.linspace(0.0, 2.0 * np.pi, sections, endpoint=False)[:, None]
    circle = np.cos(angle) * aside + np.sin(angle) * np.cross(axis, aside)
    rings = [start + radius * circle, end + (radius if end_radius is None else end_radius) * circle]
    return closed_rings(np.stack(rings))


@dataclass(frozen=True)
class Ring:
    """One cross-section of a loft: a superellipse at height ``z``; exponent 2 is an ellipse, 6 nearly a rectangle."""

    half_x: float
    half_y: float
    z: float
    exponent: float = 2.0
    shift_y: float = 0.0


def loft(rings: Sequence[Ring], sections: int = 16) -> Solid:
    """Make the surface through cross-sections in their order, closed by a cap at both ends; hollow if it turns back inside."""
    angle = np.linspace(0.0, 2.0 * np.pi, sections, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    layers = []
    for ring in rings:
        stretch = (np.abs(cosine) ** ring.exponent + np.abs(sine) ** ring.exponent) ** (-1.0 / ring.exponent)
        x, y = ring.half_x * stretch * cosine, ring.half_y * stretch * sine + ring.shift_y
        layers.append(np.stack([x, y, np.full(sections, ring.z)], axis=1))
    return closed_rings(np.stack(layers))


def closed_rings(layers: Float[np.ndarray, "ring section 3"]) -> Solid:
    """Join rings of vertices by bands and close the first and the last with a fan."""
    rings, sections = layers.shape[:2]
    here = np.arange(sections)
    onward = (here + 1) % sections
    bands = [
        np.concatenate(
            [
                np.stack([here, onward, onward + sections], axis=1),
                np.stack([here, onward + sections, here + sections], axis=1),
            ]
        )
        + ring * sections
        for ring in range(rings - 1)
    ]
    first, last = rings * sections, rings * sections + 1
    top = (rings - 1) * sections
    bands.append(np.stack([onward, here, np.full(sections, first)], axis=1))
    bands.append(np.stack([here + top, onward + top, np.full(sections, last)], axis=1))
    centers = layers[[0, -1]].mean(axis=1)
    return Solid(np.concatenate([layers.reshape(-1, 3), centers]), np.concatenate(bands))


def folded_sheet(width: float, height: float, folds: int, amplitude: float) -> Solid:
    """Make a hanging cloth in the xz plane with sine folds along y that widen downward; its upper edge is at z = height."""
    columns, rows = 6 * folds + 1, 4
    along = np.linspace(0.0, 1.0, columns)
    down = np.linspace(1.0, 0.0, rows)[:, None]
    y = amplitude * (1.2 - 0.6 * down) * np.sin(2.0 * np.pi * folds * along + 0.6 * down)
    x, z = np.broadcast_arrays((along - 0.5) * width, down * height)
    return Solid(np.stack([x, y, z], axis=-1).reshape(-1, 3), grid_faces(rows, columns))


def bent_panel(radius: float, arc: float, bottom: float, top: float, thickness: float) -> Solid:
    """Make a curved back rest: part of a tube whose middle is at +y and whose axis is z, ``arc`` radians wide."""
    angle = np.linspace(-arc / 2.0, arc / 2.0, 9)
    flat = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    layers = []
    for near, level in ((radius, bottom), (radius + thickness, bottom), (radius + thickness, top), (radius, top)):
        layers.append(np.concatenate([near * flat, np.full((9, 1), level)], axis=1))
    profile = np.stack(layers, axis=1)
    return closed_rings(profile)


def turned(solid: Solid, axis: int, angle: float, about: Point = (0.0, 0.0, 0.0)) -> Solid:
    """Rotate ``solid`` by ``angle`` radians about the line through ``about`` along a coordinate axis."""
    rotation = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[first, first] = rotation[second, second] = np.cos(angle)
    rotation[second, first] = np.sin(angle)
    rotation[first, second] = -np.sin(angle)
    about = np.asarray(about)
    return Solid((solid.vertices - about) @ rotation.T + about, solid.faces)


def moved(solid: Solid, offset: Point) -> Solid:
    """Shift ``solid`` by ``offset``."""
    return Solid(solid.vertices + np.asarray(offset), solid.faces)


def corner_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], crease: float = 0.75
) -> Float[np.ndarray, "face 3 3"]:
    """Return the unit normal of each corner of each face: the mean over faces at that vertex that bend less than the crease.

    ``crease`` is the least cosine between the normals of two faces that are shaded as one smooth surface.
    """
    edges = vertices[faces]
    area = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
    flat = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    corner = np.argsort(faces, axis=None, kind="stable")
    vertex = faces.reshape(-1)[corner]
    count = np.bincount(vertex, minlength=len(vertices))
    start = np.cumsum(count) - count
    mates = count[vertex]
    here = np.repeat(np.arange(len(corner)), mates)
    turn = np.arange(len(here)) - np.repeat(np.cumsum(mates) - mates, mates)
    there = start[vertex[here]] + turn
    own, other = corner[here] // 3, corner[there] // 3
    joined = ((flat[own] * flat[other]).sum(axis=1) >= crease) | (own == other)
    total = np.stack(
        [np.bincount(corner[here], joined * area[other, k], minlength=faces.size) for k in range(3)], axis=1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), up).reshape(-1, 3, 3)
