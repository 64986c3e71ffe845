"""Colour and labels of triangles from posed pinhole cameras (OpenCV axes), by ray casting (Embree); the lights stand still.

What is seen of a point does not depend on where it is seen from, as networks have it that give a point one colour: no highlights,
no light that moves with the camera.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int, Int8, Int32, UInt8

NOTHING = -1
AMBIENT = 0.42
SUNS = (((-0.5, -0.7, 0.6), 0.5), ((0.75, 0.45, 0.25), 0.28))
"""Directions to the lights in the world (z up), and their strengths."""
GAMMA = 2.2
MARGIN = 1.0
"""Pixels around the box of an object's corners that are looked at too."""


@dataclass(frozen=True, eq=False)
class Hits:
    """First meetings of rays and a mesh, in the order of the rays; rays that meet nothing are left out."""

    ray: Int[np.ndarray, " hit"]
    face: Int32[np.ndarray, " hit"]
    weights: Float32[np.ndarray, "hit 3"]
    """Of the face's corners."""
    along: Float32[np.ndarray, " hit"]
    """Depth along the optical axis."""


Albedo = Callable[[Hits], Float[np.ndarray, "hit 3"]]
"""Linear colours in [0, 1] of hits."""


class TracedMesh:
    """Triangles with their bounding volume hierarchy, built once. Lives in one process; not to be sent to another."""

    def __init__(self, corners: Float[np.ndarray, "face 3 3"]):
        self.corners = np.ascontiguousarray(corners, np.float32)
        edges = corners[:, 1:] - corners[:, :1]
        normals = np.cross(edges[:, 0], edges[:, 1])
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
        self._scene = EmbreeScene(robust=True)
        self._mesh = TriangleMesh(self._scene, self.corners)

    def first_hits(self, world_from_camera: Float[np.ndarray, "4 4"], directions: Float[np.ndarray, "ray 3"]) -> Hits:
        """Return the first hits of rays from the camera's centre along ``directions``, camera frame with z = 1."""
        world = np.ascontiguousarray(directions @ world_from_camera[:3, :3].T, np.float32)
        origins = np.broadcast_to(world_from_camera[:3, 3].astype(np.float32), world.shape).copy()
        found = self._scene.run(origins, world, output=1)
        met = np.flatnonzero(found["primID"] != NOTHING)
        u, v = found["u"][met], found["v"][met]
        return Hits(met, found["primID"][met], np.stack([1.0 - u - v, u, v], axis=1), found["tfar"][met])


@dataclass(frozen=True, kw_only=True)
class Picturing:
    """Size of pictures, and how finely they are sampled."""

    side: int = 128
    """Pixels of a square picture."""
    samples: int = 3
    """Rays along each side of a pixel, an odd number, so that one goes through its centre."""


def draw_view(
    mesh: TracedMesh,
    albedo: Albedo,
    world_from_camera: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    picturing: Picturing,
) -> UInt8[np.ndarray, "side side 4"]:
    """Return RGBA of a mesh: opacity is the covered share of a pixel, colour the mean of what covers it, not multiplied."""
    side, samples = picturing.side, picturing.samples
    rows, columns = seen_box(mesh.corners, world_from_camera, intrinsics, side)
    fine = sample_rays(intrinsics, rows, columns, samples)
    hits = mesh.first_hits(world_from_camera, fine)
    light = albedo(hits) * received(mesh, hits, world_from_camera)[:, None]
    shown = np.clip(light, 0.0, 1.0) ** (1.0 / GAMMA)
    width = len(columns)
    row, column = np.divmod(hits.ray, width * samples)
    pixel = (row // samples) * width + column // samples
    count = np.bincount(pixel, minlength=len(rows) * width)
    total = np.stack([np.bincount(pixel, shown[:, channel], minlength=len(count)) for channel in range(3)], axis=1)
    inner = np.concatenate([total / np.maximum(count, 1)[:, None], count[:, None] / samples**2], axis=1)
    picture = np.zeros((side, side, 4), np.uint8)
    picture[rows.start : rows.stop, columns.start : columns.stop] = np.rint(255.0 * inner).reshape(len(rows), width, 4)
    return picture


def draw_labels(
    mesh: TracedMesh,
    labels: Int[np.ndarray, " face"],
    world_from_camera: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    side: int,
) -> Int8[np.ndarray, "{side} {side}"]:
    """Return the label, -1 to 127, of the face at the centre of each pixel, 0 where there is none."""
    rows, columns = seen_box(mesh.corners, world_from_camera, intrinsics, side)
    hits = mesh.first_hits(world_from_camera, sample_rays(intrinsics, rows, columns, 1))
    inner = np.zeros(len(rows) * len(columns), np.int8)
    inner[hits.ray] = labels[hits.face]
    picture = np.zeros((side, side), np.int8)
    picture[rows.start : rows.stop, columns.start : columns.stop] = inner.reshape(len(rows), len(columns))
    return picture


def seen_box(
    corners: Float[np.ndarray, "face 3 3"],
    world_from_camera: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    side: int,
) -> tuple[range, range]:
    """Return rows and columns of the pixels that may show a mesh; all of them where it reaches behind the camera."""
    points = (corners.reshape(-1, 3) - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    if points[:, 2].min() <= 0.0:
        return range(side), range(side)
    seen = points[:, :2] / points[:, 2:] * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]
    low = np.clip(np.floor(seen.min(axis=0) - MARGIN), 0, side - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + MARGIN), low + 1, side).astype(int)
    return range(low[1], high[1]), range(low[0], high[0])


def sample_rays(
    intrinsics: Float[np.ndarray, "3 3"], rows: range, columns: range, samples: int
) -> Float[np.ndarray, "ray 3"]:
    """Return camera-frame directions with z = 1 through the pixels of a box, row by row, ``samples`` along each side of one.

    Pixel (0, 0) spans [0, 1] in both directions.
    """
    down, right = ((np.arange(len(span) * samples) + 0.5) / samples + span.start for span in (rows, columns))
    v, u = np.meshgrid(down, right, indexing="ij")
    return np.column_stack([u.ravel(), v.ravel(), np.ones(u.size)]) @ np.linalg.inv(intrinsics).T


def received(mesh: TracedMesh, hits: Hits, world_from_camera: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, " hit"]:
    """Return the light on the seen side of each hit's face, flat: the same from everywhere, some from two suns, no shadows."""
    normals = mesh.normals[hits.face]
    toward = world_from_camera[:3, 3] - mesh.corners[hits.face, 0]
    normals = normals * np.where((normals * toward).sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
    light = np.full(len(normals), AMBIENT)
    for direction, strength in SUNS:
        sun = np.asarray(direction) / np.linalg.norm(direction)
        light += strength * np.maximum(normals @ sun, 0.0)
    return light
