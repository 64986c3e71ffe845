"""Boxes that an answer keeps: those that hold something, and of several around one thing the one that scores highest.

VoteNet's ``models/ap_helper.py``: boxes with fewer than five points are dropped, and non-maximum suppression compares, among
those of one class, the smallest axis-aligned boxes around them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sem3d.bounds import Share
from sem3d.geometry.boxes import bounds, box_iou, inside


@dataclass(frozen=True, kw_only=True)
class BoxChoice:
    """Boxes that are kept; the defaults are VoteNet's."""

    least_points: int = 5
    """Points that a box holds at least; of each voxel one counts here."""
    overlap: Share = 0.25
    """Overlap with a box of its class and a higher score above which one is dropped."""
    least_score: Share = 0.05
    """Objectness that a box exceeds."""


def chosen_boxes(
    boxes: Float[np.ndarray, "box 7"],
    scores: Float[np.ndarray, " box"],
    classes: Int[np.ndarray, " box"],
    points: Float[np.ndarray, "point 3"],
    config: BoxChoice,
) -> Int[np.ndarray, " chosen"]:
    """Return rows of the boxes that are kept, by falling score."""
    rows = np.flatnonzero(scores > config.least_score)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    held = [int(inside(points, box).sum()) for box in boxes[rows]]
    rows = rows[np.array(held, np.int64) >= config.least_points]
    return rows[unsuppressed(boxes[rows], classes[rows], config.overlap)]


def unsuppressed(
    boxes: Float[np.ndarray, "box 7"], classes: Int[np.ndarray, " box"], overlap: float
) -> Int[np.ndarray, " kept"]:
    """Return rows, of boxes by falling score, that overlap no kept box of their class before them by more than ``overlap``."""
    low, high = bounds(boxes)
    around = np.column_stack([(low + high) / 2, high - low, np.zeros(len(boxes))])
    rivals = (box_iou(around, around) > overlap) & (classes[:, None] == classes[None])
    kept: list[int] = []
    for row in range(len(boxes)):
        if not rivals[row, kept].any():
            kept.append(row)
    return np.array(kept, np.int64)
