"""Overlapping RGB-D frame pairs as two clouds of voxels with matches: the samples that PointContrast learns from.

One row is one pair of the index, as for Pri3D. Each frame is back-projected; its points are turned by themselves and become
voxels, of each of which one point stays. Two voxels match where these points, unturned, lie close together.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from sem3d.bounds import Bounds, Metres, Side
from sem3d.datasets.augment_points import PointAugmentation, augment_points
from sem3d.datasets.collate_ragged import concatenate_numbered, renumbered, stack_references
from sem3d.datasets.frame_pairs import VIEWS, PairChoice, opened_pairs
from sem3d.datasets.scans.index import Index
from sem3d.datasets.stream import Samples
from sem3d.datasets.view import View, read_view
from sem3d.errors import BadSample
from sem3d.geometry.correspondence import sample_matches
from sem3d.geometry.nearest import nearest_within
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.voxels import first_per_voxel, voxel_indices


@dataclass(frozen=True, kw_only=True)
class CloudPairs(PairChoice):
    """A choice of scans, and the making of pairs of clouds from frames; the defaults are PointContrast's."""

    height: Side = 480
    """Image height whose pixels are back-projected."""
    width: Side = 640
    """Image width whose pixels are back-projected, pixels."""
    matches: Annotated[int, Bounds(1, 1 << 20)] = 1024
    """Matches sampled a pair; with replacement only where fewer exist."""
    voxel_size: Metres = 0.025
    """Side of a voxel, metres."""
    match_radius: Annotated[float, Bounds(0, 100, above=True)] = 1.5
    """Largest distance of two matching points, voxels."""
    points: PointAugmentation = field(
        default_factory=lambda: PointAugmentation(scale=0.0, turn=180.0, tilt=180.0, elastic_probability=0.0)
    )
    """Augmentation of the points, drawn independently for the two frames: any turn."""


@dataclass(frozen=True)
class Cloud:
    """The voxels of a frame, their colours, and the point of each in world axes, metres."""

    voxel: Int[np.ndarray, "voxel 3"]
    color: UInt8[np.ndarray, "voxel 3"]
    point: Float[np.ndarray, "voxel 3"]


@dataclass(frozen=True)
class LoadCloudPair:
    """Row of ``pairs.parquet`` to arrays; see :class:`CollateCloudPairs` for what comes of them."""

    index: Index
    config: CloudPairs
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return both clouds and their matches. Raises :class:`BadSample` where points lie too far apart for voxels."""
        config, size = self.config, (self.config.height, self.config.width)
        frames = [self.index.frames.slice(row[role], 1).to_pylist()[0] for role in ("anchor", "positive")]
        views = [read_view(self.index.root, frame, size) for frame in frames]
        try:
            anchor, positive = (self.cloud(view, rng) for view in views)
            nearest = nearest_within(anchor.point, positive.point, config.match_radius * config.voxel_size)
        except ValueError as error:
            raise BadSample(frames[0]["depth"], str(error)) from error
        loaded = {
            "usable": np.ones((), np.uint8),
            "voxel": concatenate_numbered([anchor.voxel, positive.voxel]),
            "voxel_color": np.concatenate([anchor.color, positive.color]),
            **no_matches(config.matches),
        }
        matched = np.flatnonzero(nearest >= 0)
        if len(matched):
            chosen = matched[sample_matches(rng, len(matched), config.matches)]
            rows = np.stack([chosen, len(anchor.voxel) + nearest[chosen]], axis=1)
            loaded |= {"match_voxel": rows, "match_valid": np.ones((), np.uint8)}
        return loaded

    def cloud(self, view: View, rng: np.random.Generator) -> Cloud:
        """Return the voxels of a frame; those of an augmented one keep a random point each, and are turned around their mean."""
        points, pixels = unproject_valid(view.depth, view.intrinsics)
        points = transform(view.world_from_camera, points)
        moved = points - points.mean(axis=0)
        if self.augment:
            order = rng.permutation(len(points))
            points, pixels = points[order], pixels[order]
            moved = augment_points(moved[order], self.config.points, rng)
        voxel, first = first_per_voxel(voxel_indices(moved, self.config.voxel_size))
        u, v = pixels[first].T
        return Cloud(voxel, view.image[v, u], points[first])


def no_matches(number: int) -> dict[str, np.ndarray]:
    """Return the columns of the matches of a pair that has none."""
    return {"match_voxel": np.zeros((number, VIEWS), np.int64), "match_valid": np.zeros((), np.uint8)}


@dataclass(frozen=True)
class CollateCloudPairs:
    """Loaded pairs to the columns of a batch; one that could not be used has neither voxels nor matches."""

    config: CloudPairs

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a pair without anything in it."""
        return {
            "usable": np.zeros((), np.uint8),
            "voxel": np.zeros((0, 4), np.int32),
            "voxel_color": np.zeros((0, 3), np.uint8),
            **no_matches(self.config.matches),
        }

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return columns; voxels of all frames follow one another, their first coordinate is ``2 * item + view``."""
        pairs = [self.empty() if pair is None else pair for pair in loaded]
        valid = [pair["match_valid"] for pair in pairs]
        counts = [len(pair["voxel"]) for pair in pairs]
        return {
            "usable": np.stack([pair["usable"] for pair in pairs]),
            "voxel": renumbered([pair["voxel"] for pair in pairs], VIEWS),
            "voxel_color": np.concatenate([pair["voxel_color"] for pair in pairs]),
            "match_voxel": stack_references([pair["match_voxel"] for pair in pairs], valid, counts),
            "match_valid": np.stack(valid),
        }


def cloud_pair_samples(config: CloudPairs, storage: str, seed: int) -> dict[str, Samples]:
    """Open the training pairs, augmented, and held-out pairs, plain, by split: ``train`` and ``val``."""
    return opened_pairs(
        config, storage, seed, lambda index, augment: LoadCloudPair(index, config, augment), CollateCloudPairs(config)
    )
