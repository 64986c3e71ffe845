"""Share of correct keypoints in images (PCK), and how often a keypoint's visibility is predicted rightly.

A keypoint is correct within alpha times the longer side of an extent, that distance included (2D-3D-2D, Eq. 8). Protocols of
one name differ by more than methods do, so each of their choices has a name here:

- the extent: the whole ``image`` (PF-PASCAL) or the object's ``box`` (SPair-71k, PF-WILLOW), always that of the target image;
- the aspect: distances in pixels of the image as it is stored (``native``, HPF), or of the image warped to a square (``warped``,
  DHPF), where a wide image counts its u less than its v. The side of the square drops out;
- the mean: over keypoints (the paper), over images or pairs (HPF, DHPF), or over groups such as classes, of means over pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

Extent = Literal["image", "box"]
Aspect = Literal["native", "warped"]


@dataclass(frozen=True)
class LocatedKeypoints:
    """Keypoints of one image where they were found, beside the truth; of a pair of images, those of the target."""

    found: Float[np.ndarray, "keypoint 2"]
    """(u, v) in pixels of the stored image; NaN where none was found, which is wrong."""
    true: Float[np.ndarray, "keypoint 2"]
    size: tuple[int, int]
    """Height and width of the image."""
    box: tuple[float, float, float, float]
    """Least u and v, then largest u and v, of the object."""
    group: str = ""
    """Class, or another set of pairs that is averaged by itself."""


@dataclass(frozen=True)
class CorrectShare:
    """PCK by what is averaged, in [0, 1]; NaN where there is no keypoint. Images without a keypoint count in none."""

    by_keypoint: float
    by_pair: float
    by_group: float
    """Mean over groups of the mean over their pairs."""


def relative_errors(located: LocatedKeypoints, extent: Extent, aspect: Aspect) -> Float64[np.ndarray, " keypoint"]:
    """Return the least alpha at which each keypoint is correct; infinite where none was found.

    Raises ValueError for an unknown true place, and for an extent without a length.
    """
    if not np.isfinite(located.true).all():
        raise ValueError("true keypoints must be finite: leave out those that nobody could mark")
    height, width = located.size
    scale = np.array([1, 1] if aspect == "native" else [1 / width, 1 / height], np.float64)
    left, top, right, bottom = located.box
    sides = (width, height) if extent == "image" else (right - left, bottom - top)
    reach = float((np.array(sides, np.float64) * scale).max())
    if not reach > 0:
        raise ValueError(f"the {extent} has no extent: {sides}")
    offsets = (located.found.astype(np.float64) - located.true.astype(np.float64)) * scale
    distances = np.hypot(*offsets.T) / reach
    return np.where(np.isnan(distances), math.inf, distances)


def correct_share(
    located: Sequence[LocatedKeypoints], *, alpha: float, extent: Extent, aspect: Aspect = "native"
) -> CorrectShare:
    """Return the share of keypoints within ``alpha`` times the longer side of the extent."""
    correct = [(one.group, relative_errors(one, extent, aspect) <= alpha) for one in located if len(one.true)]
    if not correct:
        return CorrectShare(math.nan, math.nan, math.nan)
    groups: dict[str, list[float]] = {}
    for group, hits in correct:
        groups.setdefault(group, []).append(float(hits.mean()))
    return CorrectShare(
        by_keypoint=float(np.concatenate([hits for _, hits in correct]).mean()),
        by_pair=fmean(share for shares in groups.values() for share in shares),
        by_group=fmean(fmean(shares) for shares in groups.values()),
    )


@dataclass(frozen=True)
class VisibilityScores:
    """Predicted visibility of keypoints against the truth, in [0, 1]; NaN where there is nothing to score."""

    accuracy: float
    balanced_accuracy: float
    """Mean of the shares found right among visible and among hidden keypoints; NaN unless there are both."""
    constant: float
    """Accuracy of saying always what is more frequent: what a prediction has to exceed."""


def visibility_scores(
    predicted: Bool[np.ndarray, " keypoint"], visible: Bool[np.ndarray, " keypoint"]
) -> VisibilityScores:
    """Return how often the predicted visibility of a keypoint is the true one."""
    if not len(visible):
        return VisibilityScores(math.nan, math.nan, math.nan)
    right = predicted == visible
    both = visible.any() and not visible.all()
    return VisibilityScores(
        accuracy=float(right.mean()),
        balanced_accuracy=float(right[visible].mean() + right[~visible].mean()) / 2 if both else math.nan,
        constant=float(max(visible.mean(), 1 - visible.mean())),
    )
