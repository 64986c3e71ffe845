"""Depth images that were resized by a little, whose intrinsics were not: two weak signs that are clear together.

A principal point that is off the middle along the diagonal may be a lens's, as long as it is near; frames that agree a little
better in other intrinsics may be noise. Where the intrinsics of the very image in whose middle the principal point would lie make
frames agree better, the image was resized.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.mistakes import Frame
from sem3d.datasets.scans.plausibility import LEAST_COMPARED, disagreement, matched_pairs, quantiles
from sem3d.geometry.cameras import off_middle, resize_intrinsics

LEAST_OFF, SAME_OFF = 0.01, 0.01
"""Share of width and of height by which a principal point must be off the middle, and by which the two may differ."""
GAIN = 0.93
"""Share of the disagreement that is left at most, at both quantiles. Five real clips, cropped so that right intrinsics have a
principal point 1 to 4 % off along the diagonal, all keep more; resized by 3, 5 and 7 % either way, 21 of 30 keep less."""


def resized_fault(groups: Sequence[Sequence[Frame]]) -> str | None:
    """Return why the intrinsics of depth are not of its images' size; None where they may be or where nothing tells."""
    frames = [frame for group in groups for frame in group]
    if not frames:
        return None
    intrinsics, size = frames[0][0].intrinsics_depth, frames[0][0].depth_size
    right, below = off_middle(intrinsics, size)
    if min(abs(right), abs(below)) < LEAST_OFF or abs(right - below) > SAME_OFF:
        return None
    before = round(size[0] * (1 + right + below)), round(size[1] * (1 + right + below))
    others = [[(resized(record, before), depth) for record, depth in group] for group in groups]
    found, mended_found = (disagreement(matched_pairs(given)) for given in (groups, others))
    shared = np.isfinite(found) & np.isfinite(mended_found)
    if shared.sum() < LEAST_COMPARED:
        return None
    as_they_are, residual = quantiles(found[shared]), quantiles(mended_found[shared])
    if not (residual < GAIN * as_they_are).all():
        return None
    return (
        f"bad depth intrinsics: their principal point is the middle of {before[1]}x{before[0]}, not of {size[1]}x{size[0]}, "
        f"and frames disagree by {as_they_are[0]:.2%} of the depth, by {residual[0]:.2%} with those of that image made smaller: "
        "were images resized without their intrinsics?"
    )


def resized(record: FrameRecord, before: tuple[int, int]) -> FrameRecord:
    """Return a record with the intrinsics of its depth as if the image had been made smaller from (height, width) ``before``."""
    intrinsics = resize_intrinsics(record.intrinsics_depth, before, record.depth_size)
    return dataclasses.replace(record, intrinsics_depth=intrinsics)
