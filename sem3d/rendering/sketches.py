"""2.5D sketches of a mesh from a posed camera, depth and normals, and its points that nothing hides, by ray casting (Embree)."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from sem3d.geometry.projection import project, transform
from sem3d.rendering.posed_views import Hits, TracedMesh, sample_rays, seen_box

IN_FRONT = 0.01
"""Lengths of an object's longest side by which a point may lie behind what is seen there; steeply seen faces need it."""


def seen_pixels(
    mesh: TracedMesh, world_from_camera: Float[np.ndarray, "4 4"], intrinsics: Float[np.ndarray, "3 3"], side: int
) -> tuple[Hits, Int[np.ndarray, " hit"], Int[np.ndarray, " hit"]]:
    """Return what the centres of the pixels of a square picture meet, and the row and column of each."""
    rows, columns = seen_box(mesh.corners, world_from_camera, intrinsics, side)
    hits = mesh.first_hits(world_from_camera, sample_rays(intrinsics, rows, columns, 1))
    row, column = np.divmod(hits.ray, len(columns))
    return hits, row + rows.start, column + columns.start


def draw_sketch(
    mesh: TracedMesh, world_from_camera: Float[np.ndarray, "4 4"], intrinsics: Float[np.ndarray, "3 3"], side: int
) -> tuple[Float32[np.ndarray, "{side} {side}"], Float32[np.ndarray, "{side} {side} 3"]]:
    """Return depth along the optical axis, 0 where there is nothing, and unit normals in the camera's frame, towards it."""
    hits, row, column = seen_pixels(mesh, world_from_camera, intrinsics, side)
    depth = np.zeros((side, side), np.float32)
    depth[row, column] = hits.along
    normals = mesh.normals[hits.face]
    toward = world_from_camera[:3, 3] - mesh.corners[hits.face, 0]
    normals = normals * np.where((normals * toward).sum(axis=1) < 0.0, -1.0, 1.0)[:, None]
    picture = np.zeros((side, side, 3), np.float32)
    picture[row, column] = normals @ world_from_camera[:3, :3]
    return depth, picture


def points_in_sight(
    mesh: TracedMesh,
    points: Float[np.ndarray, "point 3"],
    camera_from_world: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    side: int,
) -> tuple[Float[np.ndarray, "point 2"], Bool[np.ndarray, " point"]]:
    """Return (u, v) of points of a mesh, pixel (0, 0) spanning [0, 1], and which are within the picture and not behind a face."""
    in_camera = transform(camera_from_world, points)
    places, depth = project(in_camera, intrinsics)
    inside = ((places >= 0) & (places < side)).all(axis=1)
    chosen = np.flatnonzero(inside)
    world_from_camera = np.linalg.inv(camera_from_world)
    hits = mesh.first_hits(world_from_camera, in_camera[chosen] / depth[chosen, None])
    nearest = np.full(len(points), np.inf)
    nearest[chosen[hits.ray]] = hits.along
    return places, inside & (depth <= nearest + IN_FRONT)
