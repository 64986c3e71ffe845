"""Depth of frames against their poses: measures of a scene that must agree with one another.

Each is looked at in a sample of frames and pixels; a scene that contradicts itself would be trained on without an error.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int

from sem3d.datasets.scans.frames import read_depth
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.mistakes import Explanation, Frame, explanations
from sem3d.errors import BadSample
from sem3d.geometry.cameras import intrinsics_fault, invert_rigid, orthonormalise, pose_fault
from sem3d.geometry.projection import inside_image, nearest_pixel, project, transform, unproject_valid

NEAREST_MEDIAN, FARTHEST_MEDIAN = 0.1, 20.0
"""Metres between which the median depth of an indoor frame lies."""
ANCHORS, REACH = 6, (1, 3, 6, 11)
"""Frames that are looked at in a scene, and how many frames later those stand that each is compared with."""
MOST_SAMPLED = 64 << 20
"""Pixels of all frames that are looked at in a scene; with more there are fewer anchors."""
PIXELS = 2000
"""Pixels of a frame that are compared."""
UNITS = (0.1, 0.125, 0.2, 0.25, 0.5, 2.0, 4.0, 5.0, 8.0, 10.0)
"""Ratios of two units of depth that are common."""
FACTORS = dict.fromkeys(UNITS, "") | {
    3.28084: " (in feet?)",
    100.0: " (in centimetres?)",
    1000.0: " (in millimetres?)",
}
"""Errors of a unit of depth that are common, and what the poses may be in instead."""
UNMOVED = 1e9
"""Factor of depth beside which no camera has moved."""
QUANTILES = (0.9, 0.75)
"""Quantiles of the disagreement of two frames that are looked at."""
LEAST_RESIDUAL = 0.01
"""Share of the depth by which frames may always disagree."""
LEAST_EXPLAINED = 0.02
"""Share of the depth from which on a disagreement that is none of a unit is explained."""
LARGEST_MEDIAN = 0.04
"""Median of the disagreement beyond which frames are not of one surface; of real scans it is 0.001 to 0.009."""
CLEAR_GAIN = 0.4
"""Share of the disagreement that another unit of depth, or the undoing of a mistake, must come down to before it is believed."""
APART = 0.1
"""Share of the points that frames share in another unit, below which they do not meet as they are."""
LEAST_COMPARED = 500
"""Points that must be seen by two frames each before they tell something."""
LEAST_OF_PAIR = 100
"""Points that must be seen by both frames of a pair before it counts among those that are spoilt or not."""
LEAST_SPOILT = 1 / 3
"""Share of the pairs beyond which a mistake may be one of the whole scan; one wrong pose of an anchor spoils fewer."""

Pair = tuple[Float[np.ndarray, "_ 3"], Float[np.ndarray, "4 4"], Frame]


def median_fault(depth: Float32[np.ndarray, "height width"]) -> str | None:
    """Return why the depth of a frame is no indoor scan's, metres; None where it may be."""
    median = float(np.median(depth[depth > 0])) if (depth > 0).any() else NEAREST_MEDIAN
    if NEAREST_MEDIAN <= median <= FARTHEST_MEDIAN:
        return None
    return (
        f"implausible depth: its median is {median:.3g} m, not {NEAREST_MEDIAN:g} to {FARTHEST_MEDIAN:g}; "
        "set data.prepare.depth_scale to its raw units a metre"
    )


def sampled_frames(root: Path, records: Sequence[FrameRecord]) -> list[list[Frame]]:
    """Return groups of usable frames: an anchor and some that follow it; frames that cannot be used are left out."""
    height, width = records[0].depth_size
    anchors = min(ANCHORS, max(2, MOST_SAMPLED // (height * width * (1 + len(REACH)))))
    starts = sorted(set(np.linspace(0, max(0, len(records) - 1 - REACH[0]), anchors).astype(int).tolist()))
    numbers = [[start, *(start + step for step in REACH if start + step < len(records))] for start in starts]
    opened = {number: usable_frame(root, records[number]) for number in sorted({n for group in numbers for n in group})}
    return [[frame for number in group if (frame := opened[number])] for group in numbers]


def usable_frame(root: Path, record: FrameRecord) -> Frame | None:
    """Return a frame with a rigid pose and its depth in metres; None where it has something wrong, which others report."""
    if pose_fault(record.world_from_camera) or intrinsics_fault(record.intrinsics_depth, record.depth_size):
        return None
    try:
        depth = read_depth(root, record.row())
    except BadSample:
        return None
    return None if median_fault(depth) else (record, depth)


def frames_fault(root: Path, records: Sequence[FrameRecord], groups: Sequence[Sequence[Frame]]) -> str | None:
    """Return why the frames of a scene cannot be used as they are; None where they may be or where nothing tells.

    ``groups`` are the :func:`sampled_frames` of all its ``records``. Frames that disagree are looked at in other units of depth
    and with the mistakes of :func:`explanations` undone; what makes them agree is named. Most points say little, such as those
    of a wall that the camera moves along, so the larger disagreements are compared.
    """
    pairs = matched_pairs(groups)
    found = disagreement(pairs)
    met = np.isfinite(found)
    if met.sum() >= LEAST_COMPARED and (quantiles(found[met]) <= LEAST_RESIDUAL).all():
        return None
    if (fault := unit_fault(pairs, found)) or met.sum() < LEAST_COMPARED:
        return fault
    return mistake_fault(explanations(root, records), groups, pairs, found) or contradiction(
        float(np.median(found[met]))
    )


def unit_fault(pairs: Sequence[Pair], found: Float[np.ndarray, " point"]) -> str | None:
    """Return in which other unit of depth frames agree whose disagreement is ``found`` as they are; None where in no other.

    Poses are in metres, so where the camera moves between two frames only one unit of depth puts both on one surface. That unit
    must also do better than leaving the movement out, which is what a noise of the poses alone would ask for. The same points
    are compared: another unit moves others out of the images.
    """
    unmoved = disagreement(pairs, UNMOVED)
    met = np.isfinite(found).sum()
    told: list[tuple[float, str]] = []
    for factor, hint in FACTORS.items():
        other = disagreement(pairs, factor)
        apart = met < max(LEAST_COMPARED, APART * np.isfinite(other).sum())
        shared = np.isfinite(other) & np.isfinite(unmoved) & (apart | np.isfinite(found))
        if shared.sum() < LEAST_COMPARED:
            continue
        before = quantiles(unmoved[shared])
        before = before if apart else np.minimum(before, quantiles(found[shared]))
        residual = quantiles(other[shared])
        if (place := clearest(residual, before, LEAST_RESIDUAL)) is not None:
            scale = pairs[0][2][0].depth_scale / factor
            as_they_are = "hardly meet" if apart else f"disagree by {quantiles(found[shared])[place]:.1%} of the depth"
            told.append(
                (
                    residual.sum(),
                    f"depth does not fit the poses: frames {as_they_are}, and agree to {residual[place]:.1%} where it is "
                    f"multiplied by {factor:g}; set data.prepare.depth_scale to {scale:g}, or give the poses in metres where "
                    f"they are not{hint}",
                )
            )
    return min(told)[1] if told else None


def mistake_fault(
    possible: Sequence[Explanation],
    groups: Sequence[Sequence[Frame]],
    pairs: Sequence[Pair],
    found: Float[np.ndarray, " point"],
) -> str | None:
    """Return which mistake must be undone that frames agree whose :func:`disagreement` is ``found`` as they are, in ``pairs``;
    None where none that is ``possible`` was made.

    Where few pairs are spoilt, single frames are wrong: a change of all poses may only move them to where nothing looks.
    """
    met = found[np.isfinite(found)]
    before = quantiles(met)
    if (before <= LEAST_EXPLAINED).all() or spoilt_share(pairs, found) <= LEAST_SPOILT:
        return None
    told: list[tuple[float, str]] = []
    for explanation in possible:
        other = disagreement(matched_pairs(explanation.applied(groups)))
        other = other[np.isfinite(other)]
        if len(other) < max(LEAST_COMPARED, len(met) / 2):
            continue
        residual = quantiles(other)
        if (place := clearest(residual, before, LEAST_EXPLAINED)) is not None:
            told.append(
                (
                    residual.sum(),
                    f"frames contradict one another: they disagree by {before[place]:.1%} of the depth, and agree to "
                    f"{residual[place]:.1%} where {explanation.says}",
                )
            )
    return min(told)[1] if told else None


def spoilt_share(pairs: Sequence[Pair], found: Float[np.ndarray, " point"]) -> float:
    """Return the share of ``pairs`` whose own part of the disagreement ``found`` is to be explained, of those that tell."""
    ends = np.cumsum([len(points) for points, _, _ in pairs])[:-1]
    apart = [one[np.isfinite(one)] for one in np.split(found, ends)]
    spoilt = [(quantiles(one) > LEAST_EXPLAINED).any() for one in apart if len(one) >= LEAST_OF_PAIR]
    return float(np.mean(spoilt)) if spoilt else 0.0


def quantiles(found: Float[np.ndarray, " point"]) -> Float[np.ndarray, " quantile"]:
    """Return the larger disagreements of those ``found``."""
    return np.quantile(found, QUANTILES)


def clearest(
    residual: Float[np.ndarray, " quantile"], before: Float[np.ndarray, " quantile"], least: float
) -> int | None:
    """Return the quantile at which frames that disagreed by ``before``, more than ``least``, come to agree; None if at none."""
    clear = (before > least) & (residual < CLEAR_GAIN * before) & (residual <= LARGEST_MEDIAN)
    return int(clear.argmax()) if clear.any() else None


def contradiction(median: float) -> str | None:
    """Return why frames whose depth disagrees by ``median`` are not of one scan; None where they may be."""
    if median <= LARGEST_MEDIAN:
        return None
    return (
        f"frames contradict one another: half of their points lie {median:.1%} of the depth or more from where others see them; "
        "are poses camera-to-world (x right, y down, z forward), and poses, depth and intrinsics of one scan?"
    )


def matched_pairs(groups: Sequence[Sequence[Frame]]) -> list[Pair]:
    """Return the pairs of the first frame of each group with the others."""
    return [pair for group in groups for other in group[1:] if (pair := matched_pair(group[0], other))]


def matched_pair(anchor: Frame, other: Frame) -> Pair | None:
    """Return points of ``anchor`` in its camera frame, the way into that of ``other``, and ``other``; None without points."""
    record, depth = anchor
    other_from_anchor = invert_rigid(orthonormalise(other[0].world_from_camera)) @ orthonormalise(
        record.world_from_camera
    )
    points, _ = unproject_valid(sampled_depth(depth), record.intrinsics_depth)
    return (points, other_from_anchor, other) if len(points) else None


def disagreement(pairs: Sequence[Pair], factor: float = 1.0) -> Float[np.ndarray, " point"]:
    """Return the difference of two frames' depth at each point of all pairs, as a share of it, depth times ``factor``; NaN
    where only one of them sees the point.
    """
    differences = [np.zeros(0)]
    for points, other_from_anchor, other in pairs:
        there, z, measured = depth_beside(transform(other_from_anchor, points * factor), *other)
        difference = np.full(len(points), np.nan)
        difference[there] = np.abs(z - factor * measured) / (factor * measured)
        differences.append(difference)
    return np.concatenate(differences)


def depth_beside(
    points: Float[np.ndarray, "point 3"], record: FrameRecord, depth: Float32[np.ndarray, "height width"]
) -> tuple[Int[np.ndarray, " seen"], Float[np.ndarray, " seen"], Float[np.ndarray, " seen"]]:
    """Return which points (camera frame) fall on a pixel with depth, their z and that depth."""
    positions, z = project(points, record.intrinsics_depth)
    there = np.flatnonzero(inside_image(positions, depth.shape))
    pixels = nearest_pixel(positions[there])
    measured = depth[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    there, measured = there[measured > 0], measured[measured > 0]
    return there, z[there], measured


def sampled_depth(depth: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Return the depth at some of the pixels that have one, and 0 elsewhere."""
    seen = np.flatnonzero(depth)
    chosen = np.zeros_like(depth)
    chosen.flat[seen[:: max(1, len(seen) // PIXELS)]] = 1
    return depth * chosen
