"""Frames of a scene whose depth is in another unit than that of the rest."""

from collections import Counter

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.mistakes import Frame
from sem3d.datasets.scans.plausibility import LEAST_COMPARED, UNITS, depth_beside, matched_pair
from sem3d.geometry.projection import transform

CLOSE = 1.5
"""Ratio of two frames' depth up to which they are of one unit."""
SPREAD, QUANTILE = 0.04, 0.75
"""Share by which ratios may lie off one of :data:`UNITS`, and the share of points that must lie as near."""
AS_THEY_ARE = 0.1
"""Share of points that agree as they are beyond which the unit is the same, and nearer things hide the others."""
REMEMBERED = 2


class UnitChain:
    """Units of the depth of frames that follow one another: each is told from those before it, where both see one surface."""

    def __init__(self) -> None:
        self._units: list[tuple[FrameRecord, float]] = []
        self._last: list[tuple[Frame, float]] = []

    def add(self, record: FrameRecord, depth: Float[np.ndarray, "height width"]) -> None:
        """Take the next frame; it has the unit of the frame before it where nothing tells another one."""
        frame = (record, depth)
        told = ((unit, unit_between(before, frame)) for before, unit in reversed(self._last))
        known = next((unit * ratio for unit, ratio in told if ratio), self._last[-1][1] if self._last else 1.0)
        self._units.append((record, round(known, 4)))
        self._last = [*self._last, (frame, known)][-REMEMBERED:]

    def odd(self) -> list[Quarantined]:
        """Return the frames that are not in the unit of more than half of them: all where there is no such unit."""
        counts = Counter(unit for _, unit in self._units)
        if len(counts) < 2:
            return []
        usual, count = counts.most_common(1)[0]
        if 2 * count <= len(self._units):
            usual = 0.0
        return [
            Quarantined(record.depth, record.scene, reason(unit / usual if usual else 0.0))
            for record, unit in self._units
            if unit != usual
        ]


def reason(ratio: float) -> str:
    """Return why a frame cannot be used whose depth is ``ratio`` times that of most frames; 0 where no unit is that of most."""
    told = f"it is {ratio:g} times what most frames show there" if ratio else "half of the frames show several times it"
    return f"implausible depth: {told}; store all frames of a scan in one unit"


def unit_between(before: Frame, after: Frame) -> float | None:
    """Return how many times larger the unit of ``after`` shows what ``before`` shows; None where nothing tells.

    A frame in a larger unit has its points elsewhere, so the ratio is exact only from the other one: both ways are looked at.
    """
    ratios = depth_ratios(before, after)
    if of_one_unit(ratios):
        return 1.0
    return common_ratio(ratios) or common_ratio(1 / depth_ratios(after, before))


def depth_ratios(before: Frame, after: Frame) -> Float[np.ndarray, " point"]:
    """Return how many times farther ``after`` shows points of ``before`` than they are."""
    pair = matched_pair(before, after)
    if pair is None:
        return np.zeros(0)
    points, after_from_before, _ = pair
    _, z, measured = depth_beside(transform(after_from_before, points), *after)
    return measured / z


def of_one_unit(ratios: Float[np.ndarray, " point"]) -> bool:
    """Tell if two frames are of one unit: half of the points are about as far in both, or some are just as far.

    A surface at half the distance may hide most points; no other unit makes the rest agree.
    """
    if len(ratios) < LEAST_COMPARED:
        return False
    agreeing = np.mean(np.abs(ratios - 1) <= SPREAD)
    return bool(agreeing > AS_THEY_ARE or 1 / CLOSE < np.median(ratios) < CLOSE)


def common_ratio(ratios: Float[np.ndarray, " point"]) -> float | None:
    """Return the one of :data:`UNITS` that nearly all ratios are; None where there is none or too few ratios."""
    if len(ratios) < LEAST_COMPARED or of_one_unit(ratios):
        return None
    return next((unit for unit in UNITS if np.quantile(np.abs(ratios / unit - 1), QUANTILE) <= SPREAD), None)
