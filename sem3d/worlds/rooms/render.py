"""Views of a room by ray casting (Embree): colour, depth, labels and instances at exact pixel centres."""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int32, UInt8, UInt16

from sem3d.worlds.rooms.room import Room

NOTHING = -1


@dataclass(frozen=True, eq=False)
class View:
    """One rendered view; where no surface is hit, everything is 0."""

    color: UInt8[np.ndarray, "height width 3"]
    depth: Float32[np.ndarray, "height width"]
    """Along the optical axis, metres."""
    label: UInt8[np.ndarray, "height width"]
    instance: UInt16[np.ndarray, "height width"]
    cosine: Float32[np.ndarray, "height width"]
    """Of the angle between ray and surface normal."""


@dataclass(frozen=True, eq=False)
class Hits:
    """Meetings of rays and the surface; ``along`` in units of the direction given, rays that meet nothing have face -1."""

    face: Int32[np.ndarray, " ray"]
    along: Float32[np.ndarray, " ray"]
    barycentric: Float32[np.ndarray, "ray 3"]


class TracedRoom:
    """A room with its bounding volume hierarchy, built once. Lives in one process; not to be sent to another."""

    def __init__(self, room: Room):
        self.room = room
        self._scene = EmbreeScene(robust=True)
        self._mesh = TriangleMesh(self._scene, np.ascontiguousarray(room.surface.corners, np.float32))

    def cast(self, origins: Float32[np.ndarray, "ray 3"], directions: Float32[np.ndarray, "ray 3"]) -> Hits:
        """Return the first hit of each ray."""
        found = self._scene.run(origins, directions, output=1)
        u, v = found["u"], found["v"]
        return Hits(found["primID"], found["tfar"], np.stack([1.0 - u - v, u, v], axis=1))

    def lit(
        self,
        points: Float32[np.ndarray, "point 3"],
        light: Float[np.ndarray, "3"],
        normals: Float32[np.ndarray, "point 3"],
    ) -> Float32[np.ndarray, " point"]:
        """Return 1 where nothing stands between a point and a light, else 0."""
        origins = points + 0.004 * normals
        directions = (light - origins).astype(np.float32)
        reach = np.full(len(points), 0.999, np.float32)
        blocker = self._scene.run(origins, directions, dists=reach, query="OCCLUDED")
        return (blocker == NOTHING).astype(np.float32)


def pixel_rays(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> Float[np.ndarray, "pixel 3"]:
    """Return the camera-frame direction with z = 1 through the centre of each pixel, row by row; pixel (0, 0) is centred on 0."""
    v, u = np.mgrid[: size[0], : size[1]].reshape(2, -1).astype(np.float64)
    return np.column_stack([u, v, np.ones(u.size)]) @ np.linalg.inv(intrinsics).T


def render_view(
    traced: TracedRoom,
    world_from_camera: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> View:
    """Render the room seen from ``world_from_camera`` (OpenCV axes) by a pinhole of ``size`` (height, width).

    Colour is lambert shading with a moving highlight under the room's lights, with shadows; depth is z in metres.
    """
    rotation, camera = world_from_camera[:3, :3], world_from_camera[:3, 3]
    directions = np.ascontiguousarray(pixel_rays(intrinsics, size) @ rotation.T, np.float32)
    origins = np.broadcast_to(camera.astype(np.float32), directions.shape).copy()
    hits = traced.cast(origins, directions)
    seen = np.flatnonzero(hits.face != NOTHING)
    surface, face = traced.room.surface, hits.face[seen]
    along, weights = hits.along[seen], hits.barycentric[seen]
    points = origins[seen] + along[:, None] * directions[seen]
    toward = unit(-directions[seen])
    normals = unit(blend(surface.normals, face, weights))
    cosine = dot(normals, toward)
    normals *= np.where(cosine < 0, -1.0, 1.0)[:, None].astype(np.float32)
    material = surface.material[face]
    footprint = along / np.float32(intrinsics[0, 0])
    local, uv = blend(surface.local, face, weights), blend(surface.uv, face, weights)
    albedo = surface.materials.albedo(material, local, uv, footprint)
    light = shade(traced, ShadingPoints(points, normals, albedo, material), toward)
    pixels = size[0] * size[1]
    color, depth = np.zeros((pixels, 3), np.uint8), np.zeros(pixels, np.float32)
    label, instance, slant = np.zeros(pixels, np.uint8), np.zeros(pixels, np.uint16), np.zeros(pixels, np.float32)
    color[seen], depth[seen], slant[seen] = srgb_of_linear(light), along, np.abs(cosine)
    label[seen], instance[seen] = surface.label[face], surface.instance[face]
    return View(
        color=color.reshape(*size, 3),
        depth=depth.reshape(size),
        label=label.reshape(size),
        instance=instance.reshape(size),
        cosine=slant.reshape(size),
    )


def dot(first: Float32[np.ndarray, "point 3"], second: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, " point"]:
    """Return the row-wise inner product."""
    return np.einsum("pk,pk->p", first, second)


def unit(vectors: Float32[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 3"]:
    """Scale rows to length 1."""
    return vectors / np.maximum(np.sqrt(dot(vectors, vectors)), 1e-6)[:, None]


def blend(
    corners: Float32[np.ndarray, "face 3 channel"],
    face: Int32[np.ndarray, " ray"],
    weights: Float32[np.ndarray, "ray 3"],
) -> Float32[np.ndarray, "ray channel"]:
    """Carry corner values to the hits."""
    return np.einsum("rk,rkc->rc", weights, corners[face])


@dataclass(frozen=True, eq=False)
class ShadingPoints:
    """Points of a room's surface to be shaded, with unit normals and linear colours."""

    position: Float32[np.ndarray, "point 3"]
    normal: Float32[np.ndarray, "point 3"]
    albedo: Float[np.ndarray, "point 3"]
    material: Int32[np.ndarray, " point"]


def shade(
    traced: TracedRoom, points: ShadingPoints, toward: Float32[np.ndarray, "point 3"]
) -> Float[np.ndarray, "point 3"]:
    """Compute the light sent to the camera: ambient (stronger from above), lambert and Blinn-Phong for each lamp, and glow.

    ``toward`` are the unit directions to the camera.
    """
    table, lighting = traced.room.surface.materials, traced.room.lighting
    normals, material = points.normal, points.material
    received = lighting.ambient.astype(np.float32) * (0.85 + 0.15 * normals[:, 2:])
    mirrored = np.zeros_like(received)
    shine, gloss = table.shine[material], table.gloss[material]
    for position, color in zip(lighting.positions, lighting.colors.astype(np.float32), strict=True):
        reach = position.astype(np.float32) - points.position
        arriving = traced.lit(points.position, position, normals) / (1.0 + dot(reach, reach) / 9.0)
        reach = unit(reach)
        facing = np.maximum(dot(normals, reach), 0.0)
        peak = np.maximum(dot(normals, unit(reach + toward)), 0.0) ** gloss
        received += (arriving * facing)[:, None] * color * 1.5
        mirrored += (arriving * peak * shine)[:, None] * color
    return points.albedo * (received + table.glow[material][:, None]) + mirrored


def srgb_of_linear(light: Float[np.ndarray, "point 3"]) -> UInt8[np.ndarray, "point 3"]:
    """Return 8-bit colour with a soft shoulder in place of clipping."""
    mapped = light * (1.0 + light / 6.0) / (1.0 + light)
    return np.rint(255.0 * np.power(np.minimum(mapped * 1.35, 1.0), 1.0 / 2.2)).astype(np.uint8)


def surface_color(
    traced: TracedRoom,
    points: Float32[np.ndarray, "point 3"],
    face: Int32[np.ndarray, " point"],
    weights: Float32[np.ndarray, "point 3"],
) -> UInt8[np.ndarray, "point 3"]:
    """Return the colour of surface points as a reconstruction from many views would have it: shaded, without highlights."""
    surface = traced.room.surface
    normals = unit(blend(surface.normals, face, weights))
    material = surface.material[face]
    footprint = np.full(len(points), 0.01, np.float32)
    albedo = surface.materials.albedo(
        material, blend(surface.local, face, weights), blend(surface.uv, face, weights), footprint
    )
    return srgb_of_linear(shade(traced, ShadingPoints(points, normals, albedo, material), -normals))
