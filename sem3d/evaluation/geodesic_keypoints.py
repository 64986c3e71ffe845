"""Keypoints on surfaces, scored by geodesic distance as KeypointNet does (its ``benchmark_scripts/metrics.py``).

The two scores treat a distance of exactly the threshold differently, as theirs do: it is near enough for IoU, too far for PCK.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

CIRCLE_TURNS = 36
"""Turns that stand for those of a circle, in the authors' code."""


def keypoint_iou(distances: Sequence[Float[np.ndarray, "predicted true"]], threshold: float) -> float:
    """Return the IoU of predicted and true keypoints of the models of a class; NaN where there are none of either kind.

    Of each model come the geodesic distances between both. True keypoints with a predicted one within the threshold are the
    intersection; the union are all true ones and the predicted ones that are near none.
    """
    total = sum(each.shape[1] for each in distances)
    missed = sum(int((each > threshold).all(axis=0).sum()) for each in distances)
    false = sum(int((each > threshold).all(axis=1).sum()) for each in distances)
    return (total - missed) / (total + false) if total + false else math.nan


def mean_keypoint_iou(by_class: Mapping[str, Sequence[Float[np.ndarray, "predicted true"]]], threshold: float) -> float:
    """Return the mean over classes of :func:`keypoint_iou`: KeypointNet's mIoU."""
    return fmean(keypoint_iou(distances, threshold) for distances in by_class.values())


@dataclass(frozen=True)
class FoundShare:
    """Predicted keypoints matched one to one with the true ones of their models; NaN where there are none to divide by."""

    precision: float
    recall: float


def precision_and_recall(distances: Sequence[Float[np.ndarray, "predicted true"]], threshold: float) -> FoundShare:
    """Return the shares of predicted and of true keypoints that have a partner within the threshold (inclusive).

    Partners are chosen, model by model, for as many pairs as can be had: two predicted keypoints beside one true one are one
    right and one wrong.
    """
    matched = 0
    for each in distances:
        near = (each <= threshold).astype(np.int64)
        matched += int(near[linear_sum_assignment(near, maximize=True)].sum())
    predicted, true = (sum(each.shape[axis] for each in distances) for axis in (0, 1))
    return FoundShare(matched / predicted if predicted else math.nan, matched / true if true else math.nan)


@dataclass(frozen=True)
class GeodesicCorrectShare:
    """Geodesic PCK in [0, 1]; NaN where there is no keypoint."""

    by_model: float
    """Mean over models of the share of their keypoints, as KeypointNet's."""
    by_keypoint: float


def geodesic_correct_share(
    distances: Sequence[Float[np.ndarray, "turn keypoint"]], threshold: float
) -> GeodesicCorrectShare:
    """Return the share of keypoints nearer than the threshold to the truth.

    Of each model come the geodesic distances of its predicted keypoints from the true ones, and from those of each turn that
    maps the object onto itself. The turn of the least mean distance counts; the authors take that of the least cross-entropy,
    which only a classifier has.
    """
    best = [each[each.mean(axis=1).argmin()] < threshold for each in distances if each.size]
    if not best:
        return GeodesicCorrectShare(math.nan, math.nan)
    return GeodesicCorrectShare(fmean(float(hits.mean()) for hits in best), float(np.concatenate(best).mean()))


def turned_keypoints(
    points: Float[np.ndarray, "point 3"],
    keypoints: Int[np.ndarray, " keypoint"],
    group: Int[np.ndarray, " member"],
    circle: bool,
) -> Int[np.ndarray, "turn keypoint"]:
    """Return the points that keypoints come to lie at when the object is turned about its axis of symmetry, y; first unturned.

    ``keypoints`` are indices of points, ``group`` those among the keypoints that the symmetry maps onto each other, as many
    turns as it has members, or 36 for a ``circle``. The axis passes through the mean of the group.
    """
    places = points[keypoints].astype(np.float64)
    centre = places[group].mean(axis=0)
    tree = cKDTree(points)
    turns = CIRCLE_TURNS if circle else len(group)
    found = [keypoints]
    for angle in 2 * np.pi / turns * np.arange(1, turns):
        found.append(tree.query((places - centre) @ turn_about_y(float(angle)).T + centre)[1].astype(keypoints.dtype))
    return np.stack(found)


def turn_about_y(angle: float) -> Float64[np.ndarray, "3 3"]:
    """Return the matrix of a turn about y by ``angle``, in radians, that takes z towards x."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
