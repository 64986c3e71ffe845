"""Overlapping RGB-D frame pairs with pixel and voxel matches: the samples that Pri3D learns from.

One row is one pair of the index. Loading it decodes both frames, augments their colours independently, matches pixels to
pixels through depth and pose, cuts each frame's chunk out of the scene's surface, voxelises it and matches voxels to
pixels. Nothing is cached on disk.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sem3d.bounds import AtLeastOne, Bounds, Metres
from sem3d.config import DataFolder, digest
from sem3d.datasets.augment import ColorAugmentation, augment_color
from sem3d.datasets.budgets import label_budget
from sem3d.datasets.collate_ragged import concatenate_numbered, renumbered, stack_references
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.index import Index, PrepareConfig
from sem3d.datasets.stream import Samples
from sem3d.datasets.view import View, feature_cells, read_view
from sem3d.datasets.voxel_matches import VoxelMatching, no_voxel_matches, scene_voxels, voxel_matches
from sem3d.errors import UserError
from sem3d.geometry.cameras import invert_rigid
from sem3d.geometry.correspondence import Criterion, match_pixels, sample_matches

VIEWS = 2


@dataclass(frozen=True, kw_only=True)
class PairChoice:
    """A choice of scans, and of the pairs of their overlapping frames."""

    generated: ClassVar = "rooms"
    root: DataFolder = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    share: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Seeded share of the training pairs that is used; a smaller share is part of a larger one."""
    evaluation_pairs: AtLeastOne = 64
    """Held-out pairs that an evaluation visits, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class FramePairs(PairChoice, VoxelMatching):
    """A choice of scans, and the making of pairs from frames; the defaults are the paper's."""

    augmentation: ColorAugmentation = field(default_factory=ColorAugmentation)
    """Colour augmentation, drawn independently for the two frames."""
    view_criterion: Criterion = "distance"
    """distance: between 3D points (paper). depth: along the optical axis (released)."""
    view_threshold: Metres = 0.02
    """Largest distance of two matching pixels, metres; the released code uses 0.05 along z."""


@dataclass(frozen=True)
class LoadPair:
    """Row of ``pairs.parquet`` to arrays; see :class:`CollatePairs` for what comes of them."""

    index: Index
    config: FramePairs
    voxels: bool
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return both views, their pixel matches and, where wanted, their voxels and voxel matches."""
        config, size = self.config, (self.config.height, self.config.width)
        frames = [self.index.frames.slice(row[role], 1).to_pylist()[0] for role in ("anchor", "positive")]
        views = [read_view(self.index.root, frame, size) for frame in frames]
        if self.augment:
            images = [augment_color(view.image, config.augmentation, rng) for view in views]
        else:
            images = [view.image for view in views]
        loaded = {
            "image": np.stack([image.transpose(2, 0, 1) for image in images]),
            "depth": np.stack([view.depth for view in views]),
            "usable": np.ones((), np.uint8),
            **self.pixel_matches(views[0], views[1], rng),
        }
        if self.voxels:
            scene = scene_voxels(self.index, row["scene"], config)
            loaded |= join_views([voxel_matches(view, scene, config, rng) for view in views])
        return loaded

    def pixel_matches(self, anchor: View, positive: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return sampled feature cells (match, view, 2) of the same surface point, and whether there are any."""
        positive_from_anchor = invert_rigid(positive.world_from_camera) @ anchor.world_from_camera
        pixels = match_pixels(
            anchor.depth,
            positive.depth,
            anchor.intrinsics,
            positive.intrinsics,
            positive_from_anchor,
            threshold=self.config.view_threshold,
            criterion=self.config.view_criterion,
        )
        if not len(pixels[0]):
            return {"cell": np.zeros((self.config.matches, VIEWS, 2), np.int64), "view_valid": np.zeros((), np.uint8)}
        chosen = sample_matches(rng, len(pixels[0]), self.config.matches)
        cells = [feature_cells(side[chosen], (self.config.height, self.config.width)) for side in pixels]
        return {"cell": np.stack(cells, axis=1), "view_valid": np.ones((), np.uint8)}


def join_views(views: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the voxels of both views, numbered by view; matches are stacked along the view axis."""
    counts = [len(view["voxel"]) for view in views]
    columns = {name: [view[name] for view in views] for name in views[0]}
    return {
        "voxel": concatenate_numbered(columns["voxel"]),
        "voxel_color": np.concatenate(columns["voxel_color"]),
        "geo_voxel": stack_references(columns["geo_voxel"], columns["geo_valid"], counts),
        "geo_cell": np.stack(columns["geo_cell"]),
        "geo_valid": np.stack(columns["geo_valid"]),
    }


@dataclass(frozen=True)
class CollatePairs:
    """Loaded pairs to the columns of a batch; a pair that could not be used becomes black, with no match and no voxel."""

    config: FramePairs
    voxels: bool
    depth: bool

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a pair without anything in it."""
        config = self.config
        pair = {
            "image": np.zeros((VIEWS, 3, config.height, config.width), np.uint8),
            "depth": np.zeros((VIEWS, config.height, config.width), np.float32),
            "cell": np.zeros((config.matches, VIEWS, 2), np.int64),
            "usable": np.zeros((), np.uint8),
            "view_valid": np.zeros((), np.uint8),
        }
        return pair | (join_views([no_voxel_matches(config)] * VIEWS) if self.voxels else {})

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return stacked columns; voxels of all views follow one another, their first coordinate is ``2 * item + view``."""
        pairs = [self.empty() if pair is None else pair for pair in loaded]
        stacked = ["image", "cell", "usable", "view_valid"] + ["depth"] * self.depth
        columns = {name: np.stack([pair[name] for pair in pairs]) for name in stacked}
        if self.voxels:
            columns |= {name: np.stack([pair[name] for pair in pairs]) for name in ("geo_cell", "geo_valid")}
            columns["geo_voxel"] = stack_references(
                [pair["geo_voxel"] for pair in pairs],
                [pair["geo_valid"][:, None] for pair in pairs],
                [len(pair["voxel"]) for pair in pairs],
            )
            columns["voxel"] = renumbered([pair["voxel"] for pair in pairs], VIEWS)
            columns["voxel_color"] = np.concatenate([pair["voxel_color"] for pair in pairs])
        return columns


def pairs_of_split(index: Index, split: str) -> pa.Table:
    """Return the pairs whose frames both belong to ``split``."""
    splits = index.frames["split"].combine_chunks()
    both = [pc.equal(pc.take(splits, index.pairs[role]), split) for role in ("anchor", "positive")]
    return index.pairs.filter(pc.and_(*both))


def pair_samples(config: FramePairs, storage: str, seed: int, *, voxels: bool, depth: bool) -> dict[str, Samples]:
    """Open what :func:`opened_pairs` does, as both frames with matches of pixels and, where wanted, of voxels."""
    return opened_pairs(
        config,
        storage,
        seed,
        lambda index, augment: LoadPair(index, config, voxels, augment),
        CollatePairs(config, voxels, depth),
    )


def opened_pairs(
    config: PairChoice,
    storage: str,
    seed: int,
    loader: Callable[[Index, bool], Callable[[dict[str, Any], np.random.Generator], dict[str, np.ndarray]]],
    collate: Callable[[list[dict[str, np.ndarray] | None]], dict[str, np.ndarray]],
) -> dict[str, Samples]:
    """Open the training pairs, augmented, and held-out pairs, plain, by split: ``train`` and ``val``.

    ``loader`` gets the index, without its pairs, and whether to augment. Raises :class:`UserError` where the scans have no
    overlapping training pair.
    """
    index = ensure_index(config.root, storage, config.prepare)
    train, held_out = (pairs_of_split(index, split) for split in ("train", "val"))
    loaded_from = replace(
        index, pairs=index.pairs.schema.empty_table()
    )  # the samples' own table has what is drawn from
    if not train.num_rows:
        frames, scenes = index.frames.num_rows, index.scenes.num_rows
        raise UserError(
            f"no overlapping training pairs in {config.root} ({frames} frames of {scenes} scenes were taken): lower "
            "--data.prepare.stride, which is 1 for generated rooms, or --data.prepare.overlap.minimum"
        )
    rows_of_both = (train[role].cast(pa.string()) for role in ("anchor", "positive"))
    names = pc.binary_join_element_wise(*rows_of_both, "-").to_pylist()
    train = train.filter(pa.array(label_budget(names, config.share, seed)))
    if held_out.num_rows:
        rows = np.unique(np.linspace(0, held_out.num_rows - 1, config.evaluation_pairs).astype(int))
        held_out = held_out.take(rows)
    return {
        split: Samples(
            table,
            loader(loaded_from, split == "train"),
            collate,
            digest([index.digest, split, config.share, seed]),
            index.described,
            index.left_out,
        )
        for split, table in (("train", train), ("val", held_out))
    }
