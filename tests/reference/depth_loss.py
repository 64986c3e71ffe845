"""The loss of Pri3D's depth head as loops over pixels."""

import math

import numpy as np
from jaxtyping import Float


def depth_loss(
    predicted: Float[np.ndarray, "batch height width"], target: Float[np.ndarray, "batch height width"]
) -> float:
    """Mean over images of the mean over pixels with depth, in float64."""
    images = []
    for image, (p, t) in enumerate(zip(predicted.astype(np.float64), target.astype(np.float64), strict=True)):
        height, width = t.shape
        costs = [pixel_cost(p, t, v, u) for v in range(height) for u in range(width) if target[image, v, u] != 0]
        images.append(sum(costs) / len(costs) if costs else 0.0)
    return sum(images) / len(images)


def pixel_cost(predicted, target, v, u):
    """Distance of depth, of its two slopes and of the normals at one pixel."""
    dx, dy = slopes(predicted, v, u)
    ex, ey = slopes(target, v, u)
    cosine = (dx * ex + dy * ey + 1) / math.sqrt((dx * dx + dy * dy + 1) * (ex * ex + ey * ey + 1))
    distances = (predicted[v, u] - target[v, u], dx - ex, dy - ey)
    return (sum(math.log(abs(distance) + 0.5) for distance in distances) + abs(1 - cosine)) / 3


def slopes(depth, v, u):
    """Sobel sums: left minus right and top minus bottom, 0 beyond the border."""

    def at(row, column):
        inside = 0 <= row < depth.shape[0] and 0 <= column < depth.shape[1]
        return depth[row, column] if inside else 0.0

    dx = sum(weight * (at(v + k, u - 1) - at(v + k, u + 1)) for k, weight in ((-1, 1), (0, 2), (1, 1)))
    dy = sum(weight * (at(v - 1, u + k) - at(v + 1, u + k)) for k, weight in ((-1, 1), (0, 2), (1, 1)))
    return dx, dy
