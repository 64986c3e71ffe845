"""Share of the surface that two frames both see, for all pairs of frames of a scene at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64

from sem3d.bounds import AtLeastOne, Metres, Share
from sem3d.geometry.proximity import frames_within
from sem3d.geometry.voxels import mean_per_voxel

_SLAB_POINTS = 150_000


@dataclass(frozen=True, kw_only=True)
class OverlapConfig:
    """The definition of overlapping frames.

    ``released`` (Sekunde/Pri3D, ``compute_full_overlapping.py``): clouds down-sampled at 5 cm; the share of a frame's points
    with a neighbour of the other within 7.5 cm; the larger of the two shares. ``paper`` (Pri3D 3.1): all points, 2 cm, matched
    points of both frames over the points of both.
    """

    definition: Literal["paper", "released"] = "released"
    """released: the larger share of a frame's points, thinned out, with a neighbour in the other. paper: of all points."""
    voxel_size: float | None = None
    """Edge of the down-sampling grid, metres; 0 keeps all points; None is the definition's own: 0.05 released, 0 paper."""
    radius: Metres | None = None
    """Largest distance of two matching points, metres; None is the definition's own: 0.075 released, 0.02 paper."""
    minimum: Share = 0.3
    """Smallest score of an overlapping pair."""
    pixel_stride: AtLeastOne = 1
    """Takes every n-th point of each cloud before anything else; 1 is exact, more is an estimate (paper: biased low)."""

    @property
    def cell(self) -> float:
        """Edge of the down-sampling grid in use, metres; 0: none."""
        if self.voxel_size is not None:
            return self.voxel_size
        return 0.05 if self.definition == "released" else 0.0

    @property
    def reach(self) -> float:
        """Largest distance in use, metres."""
        if self.radius is not None:
            return self.radius
        return 0.075 if self.definition == "released" else 0.02


def overlap_matrix(
    clouds: Sequence[Float[np.ndarray, "_ 3"]], config: OverlapConfig
) -> Float32[np.ndarray, "frame frame"]:
    """Return directed overlaps: entry (a, b) is the share of a's (down-sampled) points with a point of b within the radius.

    ``clouds`` are the frames' points in world metres, all pixels with depth. A frame without points has overlap 0 with every
    frame, itself too. Memory grows with the points of one slab of the scene and the number of frames, never with pairs of
    points. Raises ValueError where a point is not finite.
    """
    matched, sizes = _matched_points(clouds, config)
    return (matched / np.maximum(sizes, 1)[:, None]).astype(np.float32)


def overlapping_pairs(
    clouds: Sequence[Float[np.ndarray, "_ 3"]], config: OverlapConfig
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"], Float32[np.ndarray, " pair"]]:
    """Return anchor and positive frame (anchor < positive) and the score of each pair that reaches ``config.minimum``.

    The score is symmetric, in [0, 1], and as ``config.definition`` says; pairs come in row-major order. Clouds and errors as
    in :func:`overlap_matrix`.
    """
    matched, sizes = _matched_points(clouds, config)
    size = np.maximum(sizes, 1)
    if config.definition == "released":
        directed = matched / size[:, None]
        score = np.maximum(directed, directed.T)
    else:
        score = (matched + matched.T) / (size[:, None] + size)
    anchor, positive = np.triu_indices(len(clouds), k=1)
    kept = score[anchor, positive] >= config.minimum
    anchor, positive = anchor[kept], positive[kept]
    return anchor, positive, score[anchor, positive].astype(np.float32)


def _matched_points(
    clouds: Sequence[Float[np.ndarray, "_ 3"]], config: OverlapConfig
) -> tuple[Int64[np.ndarray, "frame frame"], Int64[np.ndarray, " frame"]]:
    """Count the points of a that have a neighbour in b, and the points of each frame."""
    voxel_size, radius = config.cell, config.reach
    # 1. down-sampled clouds, and their sizes (frame)
    thinned = (cloud[:: config.pixel_stride] for cloud in clouds)
    frames = [mean_per_voxel(cloud, voxel_size) if voxel_size else cloud for cloud in thinned]
    sizes = np.array([len(cloud) for cloud in frames], dtype=np.int64)
    matched = np.zeros((len(frames), len(frames)), dtype=np.int64)
    if sizes.sum() == 0:
        return matched, sizes
    # 2. all points of the scene (point 3), and the frame of each (point)
    points = np.concatenate(frames)
    frame = np.repeat(np.arange(len(frames)), sizes)
    # 3. slab by slab: frames near each point (row word), counted by the frame of the slab's own points (frame frame)
    for rows, own in _slabs(points[:, 0], radius):
        bits = frames_within(points[rows], frame[rows], radius)
        _add_counts(matched, frame[rows[own]], bits[own])
    return matched, sizes


def _slabs(
    position: Float[np.ndarray, " point"], radius: float
) -> Iterator[tuple[Int[np.ndarray, " row"], Bool[np.ndarray, " row"]]]:
    """Yield the rows of the points of one slab along x and of all their neighbours, in order; and which are the slab's own."""
    # 1. points along x (point)
    order = np.argsort(position)
    ascending = position[order]
    for first in range(0, len(order), _SLAB_POINTS):
        # 2. points of the slab and those within the radius on either side (row)
        last = min(first + _SLAB_POINTS, len(order))
        reach = np.searchsorted(ascending, (ascending[first] - 1.001 * radius, ascending[last - 1] + 1.001 * radius))
        rows = order[reach[0] : reach[1]]
        # 3. which of them are the slab's (row), both in the order of the scene
        own = np.zeros(len(rows), dtype=np.bool_)
        own[first - reach[0] : last - reach[0]] = True
        in_frame_order = np.argsort(rows)
        yield rows[in_frame_order], own[in_frame_order]


def _add_counts(matched: Int64[np.ndarray, "frame frame"], frame: Int[np.ndarray, " point"], bits: np.ndarray) -> None:
    """Add to row a the number of points of frame a, in each column, whose bit is set; ``frame`` ascends."""
    # 1. one byte a point and frame (point frame)
    flags = np.unpackbits(bits.astype("<u8").view(np.uint8), axis=1, bitorder="little", count=len(matched))
    # 2. sums over runs of one frame (run frame)
    first = np.flatnonzero(np.diff(frame, prepend=-1))
    start = np.union1d(first, np.arange(0, len(frame), 255))  # short enough for sums in eight bits
    partial = np.add.reduceat(flags, start, axis=0, dtype=np.uint8)
    # 3. runs added to the row of their frame (frame frame)
    np.add.at(matched, frame[start], partial)
