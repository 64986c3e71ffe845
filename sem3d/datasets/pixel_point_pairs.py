"""Overlapping pairs of RGB-D frames, each as PPKT learns from one, with matches of their voxels as PointContrast learns from two.

One row is one pair of the index. Of each frame there are an image, voxels and pairs of a voxel and its pixel, augmented by itself
(:mod:`sem3d.datasets.single_frames`); two voxels match where their points, unmoved, lie close together.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from sem3d.bounds import Bounds
from sem3d.datasets.cloud_pairs import no_matches
from sem3d.datasets.collate_ragged import row_starts
from sem3d.datasets.frame_pairs import VIEWS, PairChoice, opened_pairs
from sem3d.datasets.scans.index import Index
from sem3d.datasets.single_frames import CollateFrames, PixelPoints, made_frame
from sem3d.datasets.stream import Samples
from sem3d.datasets.view import read_view
from sem3d.errors import BadSample
from sem3d.geometry.correspondence import sample_matches
from sem3d.geometry.nearest import nearest_within


@dataclass(frozen=True, kw_only=True)
class PixelPointPairs(PairChoice, PixelPoints):
    """A choice of scans and of pairs of their frames, and the making of samples from these."""

    match_radius: Annotated[float, Bounds(0, 100, above=True)] = 1.5
    """Largest distance of two matching points, voxels; as many matches are sampled a pair as pairs of a voxel and its pixel
    a frame."""


@dataclass(frozen=True)
class LoadPixelPointPair:
    """Row of ``pairs.parquet`` to arrays; see :class:`CollatePixelPointPairs` for what comes of them."""

    index: Index
    config: PixelPointPairs
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Return both frames' columns and their matches. Raises :class:`BadSample` where points lie too far apart for voxels."""
        config = self.config
        rows = [self.index.frames.slice(row[role], 1).to_pylist()[0] for role in ("anchor", "positive")]
        views = [read_view(self.index.root, frame, (config.height, config.width)) for frame in rows]
        try:
            anchor, positive = (made_frame(view, config, self.augment, rng) for view in views)
            nearest = nearest_within(anchor.point, positive.point, config.match_radius * config.voxel_size)
        except ValueError as error:
            raise BadSample(rows[0]["depth"], str(error)) from error
        loaded = {"frames": [anchor.columns, positive.columns], **no_matches(config.matches)}
        matched = np.flatnonzero(nearest >= 0)
        if len(matched):
            chosen = matched[sample_matches(rng, len(matched), config.matches)]
            matches = np.stack([chosen, nearest[chosen]], axis=1)
            loaded |= {"match_voxel": matches, "match_valid": np.ones((), np.uint8)}
        return loaded


@dataclass(frozen=True)
class CollatePixelPointPairs:
    """Loaded pairs to the columns of a batch; one that could not be used has two black frames and no match."""

    config: PixelPointPairs

    def __call__(self, loaded: list[dict[str, Any] | None]) -> dict[str, np.ndarray]:
        """Return the columns of :class:`~sem3d.datasets.single_frames.CollateFrames` of all frames, those of a pair one after the
        other; ``match_voxel`` (pair, match, 2) names rows of the voxels of its first and second frame, ``match_valid`` (pair).
        """
        nothing = {"frames": [None] * VIEWS, **no_matches(self.config.matches)}
        pairs = [nothing if pair is None else pair for pair in loaded]
        frames = [frame for pair in pairs for frame in pair["frames"]]
        counts = [0 if frame is None else len(frame["voxel"]) for frame in frames]
        starts = row_starts(counts).reshape(-1, 1, VIEWS)
        rows, valid = (np.stack([pair[name] for pair in pairs]) for name in ("match_voxel", "match_valid"))
        matches = {"match_voxel": np.where(valid[:, None, None], rows + starts, 0), "match_valid": valid}
        return CollateFrames(self.config)(frames) | matches


def pixel_point_pair_samples(config: PixelPointPairs, storage: str, seed: int) -> dict[str, Samples]:
    """Open the training pairs, augmented, and held-out pairs, plain, by split: ``train`` and ``val``."""
    collate = CollatePixelPointPairs(config)
    return opened_pairs(
        config, storage, seed, lambda index, augment: LoadPixelPointPair(index, config, augment), collate
    )
