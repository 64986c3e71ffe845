"""Backgrounds that no training render has: a patterned floor below the object and a patterned wall behind it."""

import numpy as np
from jaxtyping import Float, UInt8

from sem3d.rendering.posed_views import GAMMA, sample_rays
from sem3d.worlds.grammar.finishes import patterned
from sem3d.worlds.textures import MaterialTable, Texture

PATTERNS = (*(Texture.PLAIN, Texture.NOISE, Texture.WOOD, Texture.STRIPES, Texture.CHECKER), Texture.PLANKS)
FLOOR, WALL = 0, 1
NEAREST_WALL, FARTHEST_WALL = 0.8, 3.0
"""Lengths of the object from its middle."""
FAR = 1e3


def draw_backdrop(
    world_from_camera: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    side: int,
    floor: float,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Return a square picture of a floor at height ``floor`` of the world, z up, and of a wall that the camera faces."""
    table = MaterialTable([patterned(rng, Texture(rng.choice(PATTERNS)), (0.1, 0.5), 0.0) for _ in (FLOOR, WALL)])
    distance, light = rng.uniform(NEAREST_WALL, FARTHEST_WALL), rng.uniform(0.5, 1.0, 2)
    # 1. rays of the pixels' centres in the world (ray 3), and how far along them floor and wall lie (ray)
    rays = sample_rays(intrinsics, range(side), range(side), 1) @ world_from_camera[:3, :3].T
    eye = world_from_camera[:3, 3]
    facing = -np.array([eye[0], eye[1], 0.0]) / max(float(np.hypot(eye[0], eye[1])), 1e-9)
    to_floor = ahead((floor - eye[2]) / nonzero(rays[:, 2]))
    to_wall = ahead((distance - eye @ facing) / nonzero(rays @ facing))
    # 2. the nearer of both (ray), and its colour there (ray 3)
    on_wall = to_wall < to_floor
    along = np.minimum(to_wall, to_floor)
    material = np.where(on_wall, WALL, FLOOR)
    places = (eye + along[:, None] * rays).astype(np.float32)
    width = (along / intrinsics[0, 0]).astype(np.float32)
    color = table.albedo(material, places, np.zeros((len(places), 2), np.float32), width) * light[material][:, None]
    return np.rint(255 * np.clip(color, 0, 1) ** (1 / GAMMA)).astype(np.uint8).reshape(side, side, 3)


def nonzero(values: Float[np.ndarray, " ray"]) -> Float[np.ndarray, " ray"]:
    """Return values without zeros, by which nothing can be divided."""
    return np.where(np.abs(values) < 1e-9, 1e-9, values)


def ahead(along: Float[np.ndarray, " ray"]) -> Float[np.ndarray, " ray"]:
    """Return distances along rays; far away for what lies behind the camera."""
    return np.where((along > 0) & (along < FAR), along, FAR)


def over(
    picture: UInt8[np.ndarray, "side side 4"], backdrop: UInt8[np.ndarray, "side side 3"]
) -> UInt8[np.ndarray, "side side 3"]:
    """Return an RGBA picture, not multiplied, before a background."""
    share = picture[..., 3:] / np.float32(255)
    return np.rint(picture[..., :3] * share + backdrop * (1 - share)).astype(np.uint8)
