"""Cameras on a sphere around an object, all looking at its middle: drawn at random, or along a spiral.

The world is right-handed with z up; camera axes are OpenCV's, x right, y down, z forward.
"""

import numpy as np
from jaxtyping import Float

FOCAL_SHARE = 525 / 512
"""Focal length as a share of the picture's side (vsitzmann/shapenet_renderer)."""
TURN = 20.0
"""Radians about the vertical from one end of the spiral to the other, as in that renderer: a little more than three turns."""
STEEPEST = 1e-6
"""Distance of a direction from the vertical below which it has no level direction to its right."""


def looking_at_origin(eyes: Float[np.ndarray, "view 3"]) -> Float[np.ndarray, "view 4 4"]:
    """Return ``world_from_camera`` of upright cameras at ``eyes``; one straight above or below has x to its right."""
    forward = -eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
    level = np.cross(forward, [0.0, 0.0, 1.0])
    steep = np.linalg.norm(level, axis=1, keepdims=True)
    right = np.where(steep > STEEPEST, level / np.maximum(steep, STEEPEST), [1.0, 0.0, 0.0])
    poses = np.tile(np.eye(4), (len(eyes), 1, 1))
    poses[:, :3, :3] = np.stack([right, np.cross(forward, right), forward], axis=2)
    poses[:, :3, 3] = eyes
    return poses


def random_eyes(
    count: int, distance: float, rng: np.random.Generator, *, upper: bool = True
) -> Float[np.ndarray, "view 3"]:
    """Return points drawn evenly from the upper half of a sphere, or from all of it."""
    height = rng.uniform(0.0 if upper else -1.0, 1.0, count)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    level = np.sqrt(1.0 - height**2)
    return distance * np.column_stack([level * np.cos(angle), level * np.sin(angle), height])


def spiral_eyes(count: int, distance: float) -> Float[np.ndarray, "view 3"]:
    """Return points of an Archimedean spiral from the front (-y), level with the middle, upwards: angles to the vertical fall
    evenly and end one step before straight above.
    """
    share = np.arange(count) / count
    tilt, angle = np.pi / 2.0 * (1.0 - share), TURN * share - np.pi / 2.0
    return distance * np.column_stack([np.sin(tilt) * np.cos(angle), np.sin(tilt) * np.sin(angle), np.cos(tilt)])


def square_intrinsics(side: int) -> Float[np.ndarray, "3 3"]:
    """Return pinhole intrinsics of a square picture, in pixels whose centres lie at whole numbers + 0.5."""
    return np.array([[FOCAL_SHARE * side, 0.0, side / 2], [0.0, FOCAL_SHARE * side, side / 2], [0.0, 0.0, 1.0]])
