"""Overlapping RGB-D frame pairs with pixel and voxel matches: what Pri3D learns from.

One row is one pair of the index. Loading it decodes both frames, augments their colours independently, matches pixels to
pixels through depth and pose, cuts each frame's chunk out of the scene's surface, voxelises it and matches voxels to
pixels. Nothing is cached on disk.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int, UInt8

from sem3d.config import digest
from sem3d.datasets.augment import ColorAugmentation, augment_color
from sem3d.datasets.budgets import label_budget
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.frames import read_color, read_depth, resize_color
from sem3d.datasets.scans.index import Index, PrepareConfig
from sem3d.datasets.scans.surface import read_surface
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.cameras import invert_rigid, orthonormalise, resize_intrinsics
from sem3d.geometry.correspondence import match_pixels, match_voxels, sample_matches, to_feature_grid
from sem3d.geometry.resample import depth_on_grid
from sem3d.geometry.voxels import first_per_voxel, frustum_box, voxel_indices

Criterion = Literal["distance", "depth"]
FEATURE_STRIDE = 2
"""The 2D network's features stand on every second pixel."""
PIXELS_SEARCHED_PER_MATCH = 4


@dataclass(frozen=True, kw_only=True)
class FramePairs:
    """Which scans, and how frames become pairs; the defaults are the paper's (methods.md 1.5, 1.8, 14)."""

    generated: ClassVar = "rooms"
    counted: ClassVar = "pair"
    root: str = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    height: int = 240
    """Image height that the network sees, pixels."""
    width: int = 320
    """Image width that the network sees, pixels."""
    share: float = 1.0
    """Seeded share of the training pairs that is used; a smaller share is part of a larger one."""
    evaluation_pairs: int = 64
    """Held-out pairs that an evaluation visits, evenly spread."""
    augmentation: ColorAugmentation = field(default_factory=ColorAugmentation)
    """Colour augmentation, drawn independently for the two frames."""
    matches: int = 1024
    """Matches sampled a pair and a loss; with replacement only where fewer exist."""
    view_criterion: Criterion = "distance"
    """distance: between 3D points (paper). depth: along the optical axis (released)."""
    view_threshold: float = 0.02
    """Largest distance of two matching pixels, metres; the released code uses 0.05 along z."""
    geo_criterion: Criterion = "distance"
    """distance: pixel's 3D point to voxel (paper). depth: voxel to depth map along z (released)."""
    geo_threshold: float = 0.02
    """Largest distance of a matching pixel and voxel, metres; the released code uses 0.2 along z."""
    voxel_size: float = 0.02
    """Side of a voxel, metres."""
    voxel_rounding: Literal["floor", "truncate"] = "floor"
    """truncate doubles the cell at 0, as the released voxeliser does."""
    voxel_point: Literal["center", "corner"] = "center"
    """Point of a voxel that is matched; the released code takes the corner."""
    chunk: Literal["frustum", "released"] = "frustum"
    """frustum: voxels that meet the box of the seen surface. released: box rounded outward to metres, camera inside."""


@dataclass(frozen=True)
class View:
    """One frame on the network's pixel grid."""

    image: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]
    intrinsics: Float[np.ndarray, "3 3"]
    world_from_camera: Float[np.ndarray, "4 4"]


def read_view(root: Path, row: dict[str, Any], size: tuple[int, int]) -> View:
    """Decodes a frame onto the colour camera's grid of ``size``; raises :class:`BadSample` where it cannot be used."""
    intrinsics = resize_intrinsics(
        np.array(row["intrinsics_color"]).reshape(3, 3), (row["color_height"], row["color_width"]), size
    )
    depth = depth_on_grid(read_depth(root, row), np.array(row["intrinsics_depth"]).reshape(3, 3), intrinsics, size)
    if not depth.any():
        raise BadSample(row["depth"], "depth is blank")
    pose = orthonormalise(np.array(row["world_from_camera"]).reshape(4, 4))
    return View(resize_color(read_color(root, row), size), depth, intrinsics, pose)


@lru_cache(maxsize=8)
def voxels_of(
    surface: Path, voxel_size: float, rounding: Literal["floor", "truncate"]
) -> tuple[Int[np.ndarray, "voxel 3"], UInt8[np.ndarray, "voxel 3"]]:
    """Indices and colours of a scene's occupied voxels, kept by each process for the scenes in use."""
    points, colors = read_surface(surface)
    try:
        indices, first = first_per_voxel(voxel_indices(points, voxel_size, rounding))
    except ValueError as error:
        raise BadSample(str(surface), str(error)) from error
    return indices, colors[first]


def some_pixels(
    depth: Float[np.ndarray, "height width"], number: int, rng: np.random.Generator
) -> Float[np.ndarray, "height width"]:
    """The depth map with at most ``number`` of its pixels, drawn evenly; the others are 0."""
    seen = np.flatnonzero(depth)
    kept = rng.choice(seen, min(number, len(seen)), replace=False)
    thinned = np.zeros_like(depth)
    thinned.flat[kept] = depth.flat[kept]
    return thinned


@dataclass(frozen=True)
class LoadPair:
    """Row of ``pairs.parquet`` to arrays; see :func:`collate_pairs` for what comes of them."""

    index: Index
    config: FramePairs
    voxels: bool
    augment: bool

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Both views, their pixel matches and, where wanted, their voxels and voxel matches."""
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
            **self.pixel_matches(*views, rng),
        }
        if self.voxels:
            surface = self.index.surface_path(row["scene"])
            if surface is None:
                raise BadSample(row["scene"], "the scene has no surface, which the geometric loss needs")
            voxels = voxels_of(surface, config.voxel_size, config.voxel_rounding)
            loaded |= join_views([self.voxel_matches(view, *voxels, rng) for view in views])
        return loaded

    def pixel_matches(self, anchor: View, positive: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Sampled feature cells (match, view, 2) of the same surface point, and whether there are any."""
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
            return {"cell": np.zeros((self.config.matches, 2, 2), np.int64), "view_valid": np.zeros((), np.uint8)}
        chosen = sample_matches(rng, len(pixels[0]), self.config.matches)
        cells = [self.feature_cells(side[chosen]) for side in pixels]
        return {"cell": np.stack(cells, axis=1), "view_valid": np.ones((), np.uint8)}

    def feature_cells(self, pixels: np.ndarray) -> np.ndarray:
        """Cells of the feature grid that hold the pixels."""
        grid = (-(-self.config.height // FEATURE_STRIDE), -(-self.config.width // FEATURE_STRIDE))
        return to_feature_grid(pixels, FEATURE_STRIDE, grid)

    def voxel_matches(
        self,
        view: View,
        indices: Int[np.ndarray, "voxel 3"],
        colors: UInt8[np.ndarray, "voxel 3"],
        rng: np.random.Generator,
    ) -> dict[str, np.ndarray]:
        """Voxels of the view's chunk with their colours, and sampled voxel-pixel matches."""
        config, released = self.config, self.config.chunk == "released"
        low, high = frustum_box(
            view.depth, view.intrinsics, view.world_from_camera, whole_metres=released, include_camera=released
        )
        corners = indices * config.voxel_size
        inside = ((corners + config.voxel_size >= low) & (corners <= high)).all(axis=1)
        positions = corners[inside] + (config.voxel_size / 2 if config.voxel_point == "center" else 0.0)
        voxel, pixels = self.match_chunk(positions, view, rng)
        if len(voxel):
            chosen = sample_matches(rng, len(voxel), config.matches)
            matches = {"geo_voxel": voxel[chosen], "geo_cell": self.feature_cells(pixels[chosen])}
        else:
            matches = {
                "geo_voxel": np.zeros(config.matches, np.int64),
                "geo_cell": np.zeros((config.matches, 2), np.int64),
            }
        return {
            "voxel": indices[inside],
            "voxel_color": colors[inside],
            "geo_valid": np.array(len(voxel) > 0, np.uint8),
            **matches,
        }

    def match_chunk(
        self, positions: Float[np.ndarray, "voxel 3"], view: View, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " match"], Int[np.ndarray, "match 2"]]:
        """Voxel rows and pixels that match.

        By distance the search goes from pixels to voxels, so a random part of the pixels gives an even sample of all
        matches; only where it gives too few are all pixels searched.
        """
        config = self.config
        few = some_pixels(view.depth, PIXELS_SEARCHED_PER_MATCH * config.matches, rng)
        for depth in (few, view.depth) if config.geo_criterion == "distance" else (view.depth,):
            voxel, pixels = match_voxels(
                positions,
                depth,
                view.intrinsics,
                invert_rigid(view.world_from_camera),
                threshold=config.geo_threshold,
                criterion=config.geo_criterion,
            )
            if len(voxel) >= config.matches:
                break
        return voxel, pixels


def join_views(views: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Voxels of both views one after the other, numbered by view; matches stacked along the view axis."""
    counts = [len(view["voxel"]) for view in views]
    return {
        "voxel": np.concatenate([np.insert(view["voxel"], 0, number, axis=1) for number, view in enumerate(views)]),
        "voxel_color": np.concatenate([view["voxel_color"] for view in views]),
        "geo_voxel": np.stack([views[0]["geo_voxel"], views[1]["geo_voxel"] + counts[0]]),
        "geo_cell": np.stack([view["geo_cell"] for view in views]),
        "geo_valid": np.stack([view["geo_valid"] for view in views]),
    }


@dataclass(frozen=True)
class CollatePairs:
    """Loaded pairs to the columns of a batch; a pair that could not be used becomes black, with no match and no voxel."""

    config: FramePairs
    voxels: bool
    depth: bool

    def empty(self) -> dict[str, np.ndarray]:
        """The arrays of a pair without anything in it."""
        config = self.config
        pair = {
            "image": np.zeros((2, 3, config.height, config.width), np.uint8),
            "depth": np.zeros((2, config.height, config.width), np.float32),
            "cell": np.zeros((config.matches, 2, 2), np.int64),
            "usable": np.zeros((), np.uint8),
            "view_valid": np.zeros((), np.uint8),
        }
        if self.voxels:
            pair |= {
                "voxel": np.zeros((0, 4), np.int32),
                "voxel_color": np.zeros((0, 3), np.uint8),
                "geo_voxel": np.zeros((2, config.matches), np.int64),
                "geo_cell": np.zeros((2, config.matches, 2), np.int64),
                "geo_valid": np.zeros(2, np.uint8),
            }
        return pair

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Stacked columns; voxels of all views follow one another, their first coordinate is ``2 * item + view``."""
        pairs = [self.empty() if pair is None else pair for pair in loaded]
        stacked = ["image", "cell", "usable", "view_valid"] + ["depth"] * self.depth
        columns = {name: np.stack([pair[name] for pair in pairs]) for name in stacked}
        if self.voxels:
            starts = np.cumsum([0] + [len(pair["voxel"]) for pair in pairs[:-1]])
            columns |= {name: np.stack([pair[name] for pair in pairs]) for name in ("geo_cell", "geo_valid")}
            columns["geo_voxel"] = np.stack(
                [
                    np.where(pair["geo_valid"][:, None], pair["geo_voxel"] + start, 0)
                    for pair, start in zip(pairs, starts, strict=True)
                ]
            )
            columns["voxel"] = np.concatenate(
                [pair["voxel"] + np.array([2 * item, 0, 0, 0], np.int32) for item, pair in enumerate(pairs)]
            ).astype(np.int32)
            columns["voxel_color"] = np.concatenate([pair["voxel_color"] for pair in pairs])
        return columns


def pairs_of_split(index: Index, split: str) -> pa.Table:
    """Pairs whose frames both belong to ``split``."""
    splits = index.frames["split"].combine_chunks()
    both = [pc.equal(pc.take(splits, index.pairs[role]), split) for role in ("anchor", "positive")]
    return index.pairs.filter(pc.and_(*both))


def pair_samples(
    config: FramePairs, storage: str, seed: int, split: Literal["train", "val"], *, voxels: bool, depth: bool
) -> Samples:
    """Samples of the training pairs, augmented, or of held-out pairs, plain.

    Raises :class:`UserError` where the scans have no overlapping training pair.
    """
    index = ensure_index(config.root, storage, config.prepare)
    table = pairs_of_split(index, split)
    if split == "train":
        if not table.num_rows:
            raise UserError(f"no overlapping training pairs in {config.root}: lower --data.prepare.overlap.minimum")
        names = [f"{pair['anchor']}-{pair['positive']}" for pair in table.to_pylist()]
        table = table.filter(pa.array(label_budget(names, config.share, seed)))
    elif table.num_rows:
        table = table.take(np.unique(np.linspace(0, table.num_rows - 1, config.evaluation_pairs).astype(int)))
    load = LoadPair(index, config, voxels, augment=split == "train")
    identity = digest([index.digest, split, config.share, seed])
    return Samples(table, load, CollatePairs(config, voxels, depth), identity, index.described, index.left_out)
