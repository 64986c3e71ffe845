"""Augmentation of points before they become voxels: scale, turn, elastic distortion. Colours and pixels stay with their points.

Elastic distortion moves points by a smooth random field, as SparseConvNet and MinkowskiEngine's example trainings do: normal
noise on a grid, smoothed, interpolated between its nodes. PPKT names scale, rotation and elastic distortion, without figures.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sem3d.bounds import Metres, Share, ShareBelowOne
from sem3d.errors import UserError

SMOOTHINGS = 2
"""Times that the noise is averaged over three nodes along each axis."""
MOST_NODES = 128
"""Nodes along an axis; they lie farther apart in a cloud that would need more."""


@dataclass(frozen=True, kw_only=True)
class PointAugmentation:
    """Strengths and probabilities."""

    scale: ShareBelowOne = 0.1
    """Factor of all lengths is drawn from 1 -+ this."""
    turn: float = 180.0
    """Turn about the vertical is drawn from -+ this, degrees."""
    tilt: float = 5.0
    """Turns about both horizontal axes are drawn from -+ this, degrees."""
    elastic_probability: Share = 0.95
    """Share of clouds that are distorted."""
    elastic_grids: tuple[Metres, ...] = (0.2, 0.8)
    """Distances of the noise's nodes, metres; one distortion after the other."""
    elastic_strengths: tuple[float, ...] = (0.4, 1.6)
    """Standard deviations of the noise before it is smoothed, metres; one for each grid."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` where there is not one strength for each grid."""
        if len(self.elastic_grids) != len(self.elastic_strengths):
            raise UserError(
                f"elastic_grids {self.elastic_grids} and elastic_strengths {self.elastic_strengths}: give one strength a grid"
            )


def augment_points(
    points: Float[np.ndarray, "point 3"], config: PointAugmentation, rng: np.random.Generator
) -> Float[np.ndarray, "point 3"]:
    """Return points (metres, z up) distorted, then turned and scaled about the origin; the same generator gives the same."""
    if len(points) and rng.random() < config.elastic_probability:
        for grid, strength in zip(config.elastic_grids, config.elastic_strengths, strict=True):
            points = points + elastic_shift(points, grid, strength, rng)
    limits = np.radians([config.tilt, config.tilt, config.turn])
    angles = rng.uniform(-limits, limits)
    factor = 1 + rng.uniform(-config.scale, config.scale)
    return factor * points @ rotation(angles).T


def rotation(angles: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Return the turn by ``angles`` (radians) about x, then y, then z."""
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        one[[first, second], [first, second]] = np.cos(angle)
        one[second, first], one[first, second] = np.sin(angle), -np.sin(angle)
        turned = one @ turned
    return turned


def elastic_shift(
    points: Float[np.ndarray, "point 3"], grid: float, strength: float, rng: np.random.Generator
) -> Float[np.ndarray, "point 3"]:
    """Return how far the field moves each point, metres: equal points alike, and neighbours within ``grid`` nearly so."""
    # 1. place of each point among the nodes, axis by axis (3 point), a margin of one node around all of them
    columns = np.ascontiguousarray(points.T)
    lowest = columns.min(axis=1)
    grid = max(grid, float((columns.max(axis=1) - lowest).max()) / MOST_NODES)
    places = (columns - lowest[:, None]) / grid + 1
    size = places.max(axis=1).astype(np.int64) + 3
    # 2. smooth noise at the nodes (x y z 3)
    noise = strength * rng.standard_normal((*size, 3), dtype=np.float32)
    for axis in range(3):
        for _ in range(SMOOTHINGS):
            noise = averaged(noise, axis)
    # 3. between the eight nodes around each point (point 3), nodes numbered in one row
    low = places.astype(np.int64)
    share = places - low
    sides = (1 - share, share)
    steps = np.array([size[1] * size[2], size[2], 1])
    first, nodes = steps @ low, noise.reshape(-1, 3)
    shift = np.zeros(points.shape)
    for x, y, z in np.ndindex(2, 2, 2):
        weight = sides[x][0] * sides[y][1] * sides[z][2]
        shift += weight[:, None] * nodes.take(first + steps @ (x, y, z), axis=0)
    return shift


def averaged(noise: Float[np.ndarray, "x y z 3"], axis: int) -> Float[np.ndarray, "x y z 3"]:
    """Return the mean of each node and its two neighbours along ``axis``; there is nothing beyond the last ones."""
    moved = np.moveaxis(noise, axis, 0)
    total = moved.copy()
    total[1:] += moved[:-1]
    total[:-1] += moved[1:]
    return np.moveaxis(total / 3, 0, axis)
