"""Boxes that stand upright in space: their bounds, what lies inside, and how much of two they share.

A box is (x, y, z, width, depth, height, heading): its centre, its full lengths along its own three axes, metres, and the turn of
its own x axis from that of the world, radians, counterclockwise seen from above; z is up. Sizes are never negative.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64

BOX = 7
"""Numbers of a box."""
_CORNERS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
"""Corners of the unit square, counterclockwise."""


def ground_corners(boxes: Float[np.ndarray, "box 7"]) -> Float64[np.ndarray, "box 4 2"]:
    """Return the corners of each box seen from above, counterclockwise."""
    boxes = boxes.astype(np.float64)
    local = _CORNERS * boxes[:, None, 3:5]
    cos, sin = np.cos(boxes[:, 6:]), np.sin(boxes[:, 6:])
    turned = np.stack([cos * local[..., 0] - sin * local[..., 1], sin * local[..., 0] + cos * local[..., 1]], axis=2)
    return turned + boxes[:, None, :2]


def bounds(boxes: Float[np.ndarray, "box 7"]) -> tuple[Float64[np.ndarray, "box 3"], Float64[np.ndarray, "box 3"]]:
    """Return lowest and highest corner of the smallest axis-aligned box around each."""
    boxes = boxes.astype(np.float64)
    ground, height = ground_corners(boxes), boxes[:, 5] / 2
    low = np.column_stack([ground.min(axis=1), boxes[:, 2] - height])
    return low, np.column_stack([ground.max(axis=1), boxes[:, 2] + height])


def edges(boxes: Float[np.ndarray, "box 7"]) -> Float64[np.ndarray, "box 12 2 3"]:
    """Return both ends of each edge of each box: four below, four above, four upright."""
    ground, middle, half = ground_corners(boxes), boxes[:, 2].astype(np.float64), boxes[:, 5].astype(np.float64) / 2
    heights = [np.broadcast_to(one[:, None, None], (len(boxes), 4, 1)) for one in (middle - half, middle + half)]
    below, above = (np.concatenate([ground, height], axis=2) for height in heights)
    around = [np.stack([face, np.roll(face, -1, axis=1)], axis=2) for face in (below, above)]
    return np.concatenate([*around, np.stack([below, above], axis=2)], axis=1)


def inside(points: Float[np.ndarray, "point 3"], box: Float[np.ndarray, "7"]) -> Bool[np.ndarray, " point"]:
    """Return which points lie in a box, its faces included."""
    x, y, z = (points - box[:3]).T
    cos, sin = np.cos(box[6]), np.sin(box[6])
    half = box[3:6] / 2
    return (abs(cos * x + sin * y) <= half[0]) & (abs(cos * y - sin * x) <= half[1]) & (abs(z) <= half[2])


def box_iou(first: Float[np.ndarray, "first 7"], second: Float[np.ndarray, "second 7"]) -> Float64[np.ndarray, "_ _"]:
    """Return the volume that every two boxes share, over that of their union: 0 where one has no volume or is not finite.

    Raises :class:`ValueError` for a negative size.
    """
    if (first[:, 3:6] < 0).any() or (second[:, 3:6] < 0).any():
        raise ValueError("a box has a negative size")
    first, second = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        shared = shared_volumes(first, second)
        union = first[:, None, 3:6].prod(axis=2) + second[None, :, 3:6].prod(axis=2) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=(union > 0) & np.isfinite(union))


def shared_volumes(
    first: Float64[np.ndarray, "first 7"], second: Float64[np.ndarray, "second 7"]
) -> Float64[np.ndarray, "_ _"]:
    """Return the volume that every two boxes share; of boxes along the axes without a look at their corners."""
    (low, high), (other_low, other_high) = bounds(first), bounds(second)
    sides = np.minimum(high[:, None], other_high[None]) - np.maximum(low[:, None], other_low[None])
    sides = np.where(sides > 0, sides, 0.0)
    if not first[:, 6].any() and not second[:, 6].any():
        return sides.prod(axis=2)
    shared = np.zeros(sides.shape[:2])
    rows, columns = np.nonzero(sides.prod(axis=2))
    shared[rows, columns] = shared_ground(first[rows], second[columns]) * sides[rows, columns, 2]
    return shared


def shared_ground(
    first: Float64[np.ndarray, "pair 7"], second: Float64[np.ndarray, "pair 7"]
) -> Float64[np.ndarray, " pair"]:
    """Return the area that both boxes of each pair cover, seen from above (Sutherland and Hodgman, 1974)."""
    if not len(first):
        return np.zeros(0)
    # 1. the first in the frame of the second, whose sides lie along its axes there (pair 4 2)
    placed = first.copy()
    placed[:, :2] -= second[:, :2]
    polygon = ground_corners(placed)
    cos, sin = np.cos(second[:, 6:]), np.sin(second[:, 6:])
    polygon = np.stack(
        [cos * polygon[..., 0] + sin * polygon[..., 1], cos * polygon[..., 1] - sin * polygon[..., 0]], axis=2
    )
    # 2. cut at the four sides one after the other (pair corner 2)
    for axis in range(2):
        for sign in (1.0, -1.0):
            polygon = clipped(polygon, axis, sign, second[:, 3 + axis] / 2)
    # 3. area of what is left (pair)
    x, y = polygon[..., 0], polygon[..., 1]
    return abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2


def clipped(
    polygon: Float64[np.ndarray, "pair corner 2"], axis: int, sign: float, limit: Float64[np.ndarray, " pair"]
) -> Float64[np.ndarray, "pair clipped_corner 2"]:
    """Return the part of convex polygons where ``sign`` times the coordinate is at most ``limit``.

    All have as many corners as the one with most; the others repeat their first one, which changes no area.
    """
    beyond = sign * polygon[..., axis] - limit[:, None]
    kept = beyond <= 0
    crossed = kept != np.roll(kept, -1, axis=1)
    share = np.divide(beyond, beyond - np.roll(beyond, -1, axis=1), out=np.zeros_like(beyond), where=crossed)
    crossing = polygon + share[..., None] * (np.roll(polygon, -1, axis=1) - polygon)
    # each corner that is kept, then the place where the side after it is cut
    corners = np.stack([polygon, crossing], axis=2).reshape(len(polygon), -1, 2)
    there = np.stack([kept, crossed], axis=2).reshape(len(polygon), -1)
    count = there.sum(axis=1)
    order = np.argsort(~there, axis=1, kind="stable")[:, : max(int(count.max()), 1)]
    corners = np.take_along_axis(corners, order[..., None], axis=1)
    return np.where(np.arange(order.shape[1])[None, :, None] < count[:, None, None], corners, corners[:, :1])
