"""Single RGB-D frames, back-projected: an image, the voxels of the points that it shows, and pairs of a voxel and its pixel.

The samples that PPKT learns from. One row is one frame of the index; no second frame, no surface of the scene. Each pixel with
depth is a point; points become voxels, one point of each voxel stays, and its pixel is the voxel's. The image is mirrored and
resized, the points are scaled, turned and distorted, and pairs follow both. Points are in world axes (z up) around their mean.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int, UInt8

from sem3d.bounds import AtLeastOne, Bounds, Metres, Side
from sem3d.config import DataFolder, digest
from sem3d.datasets.augment_points import PointAugmentation, augment_points
from sem3d.datasets.augment_window import Window, WindowAugmentation, draw_window, whole_window
from sem3d.datasets.budgets import label_budget
from sem3d.datasets.collate_ragged import concatenate_numbered, stack_references
from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.frames import read_label, resize_label
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.stream import Samples
from sem3d.datasets.view import View, read_view
from sem3d.errors import BadSample, UserError
from sem3d.geometry.correspondence import sample_matches
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.voxels import first_per_voxel, voxel_indices


@dataclass(frozen=True, kw_only=True)
class PixelPoints:
    """The making of an image, voxels and pairs from a frame; the defaults are PPKT's paper's."""

    height: Side = 480
    """Image height that the network sees, pixels."""
    width: Side = 640
    """Image width that the network sees, pixels."""
    matches: Annotated[int, Bounds(1, 1 << 20)] = 4096
    """Pairs of a voxel and its pixel sampled a frame; with replacement only where fewer exist."""
    voxel_size: Metres = 0.025
    """Side of a voxel, metres."""
    window: WindowAugmentation = field(default_factory=WindowAugmentation)
    """Augmentation of the image that moves its pixels."""
    points: PointAugmentation = field(default_factory=PointAugmentation)
    """Augmentation of the points."""


@dataclass(frozen=True, kw_only=True)
class SingleFrames(PixelPoints):
    """A choice of scans, and the making of samples from frames."""

    generated: ClassVar = "rooms"
    root: DataFolder = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    share: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Seeded share of the training frames that is used; a smaller share is part of a larger one."""
    evaluation_frames: AtLeastOne = 64
    """Held-out frames that an evaluation visits, evenly spread."""


@dataclass(frozen=True)
class LoadFrame:
    """Row of ``frames.parquet`` to arrays; see :class:`CollateFrames` for what comes of them."""

    root: Path
    """Data root that locators are relative to."""
    config: SingleFrames
    augment: bool
    labels: bool = False
    """Whether pairs get the labels of their pixels, which not all frames have."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return image, voxels and pairs. Raises :class:`BadSample` for a frame without depth, or with points too far apart."""
        size = self.config.height, self.config.width
        try:
            frame = made_frame(read_view(self.root, row, size), self.config, self.augment, rng)
        except ValueError as error:
            raise BadSample(row["depth"], str(error)) from error
        if not self.labels:
            return frame.columns
        label = SCANNET.numbers(resize_label(read_label(self.root, row), size), row["label"])
        at = frame.pixel[frame.chosen]
        return frame.columns | {"pair_label": label[at[:, 1], at[:, 0]] * frame.columns["pair_valid"]}


@dataclass(frozen=True)
class MadeFrame:
    """The columns of a frame, and what is known of each of its voxels: its pixel (u, v) and the place of its point."""

    columns: dict[str, np.ndarray]
    pixel: Int[np.ndarray, "voxel 2"]
    point: Float[np.ndarray, "voxel 3"]
    """World axes, metres, not moved."""
    chosen: Int[np.ndarray, " pair"]
    """Rows of the voxels that have a pair."""


def made_frame(view: View, config: PixelPoints, augment: bool, rng: np.random.Generator) -> MadeFrame:
    """Return image, voxels and pairs of a frame. Raises ValueError for points too far apart."""
    size = config.height, config.width
    window = draw_window(size, config.window, rng) if augment else whole_window(size)
    points, pixels = unproject_valid(view.depth, view.intrinsics)
    points = transform(view.world_from_camera, points)
    moved = points - points.mean(axis=0)
    if augment:
        order = rng.permutation(len(points))
        points, pixels = points[order], pixels[order]
        moved = augment_points(moved[order], config.points, rng)
    voxel, first = first_per_voxel(voxel_indices(moved, config.voxel_size))
    pixels = pixels[first]
    chosen, pairs = sampled_pairs(pixels, window, config.matches, rng)
    columns = {
        "image": np.ascontiguousarray(window.image(view.image).transpose(2, 0, 1)),
        "usable": np.ones((), np.uint8),
        "voxel": voxel,
        "voxel_color": view.image[pixels[:, 1], pixels[:, 0]],
    }
    return MadeFrame(columns | pairs, pixels, points[first], chosen)


def sampled_pairs(
    pixels: Int[np.ndarray, "voxel 2"], window: Window, number: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " pair"], dict[str, np.ndarray]]:
    """Return rows of voxels drawn from those whose pixel the window shows, and their columns; row 0 for all where it shows
    none.

    ``pair_voxel`` (pair): the rows, ``pair_pixel`` (pair, 2): (u, v) in the window, ``pair_valid`` (): 1 where there is any.
    """
    moved, seen = window.pixels(pixels)
    shown = np.flatnonzero(seen)
    columns = no_pairs(number)
    if not len(shown):
        return columns["pair_voxel"], columns
    chosen = shown[sample_matches(rng, len(shown), number)]
    valid = np.ones((), np.uint8)
    return chosen, {"pair_voxel": chosen, "pair_pixel": moved[chosen], "pair_valid": valid}


def no_pairs(number: int) -> dict[str, np.ndarray]:
    """Return the columns of :func:`sampled_pairs` for a frame without a pair."""
    return {
        "pair_voxel": np.zeros(number, np.int64),
        "pair_pixel": np.zeros((number, 2), np.int64),
        "pair_valid": np.zeros((), np.uint8),
    }


@dataclass(frozen=True)
class CollateFrames:
    """Loaded frames to the columns of a batch; one that could not be used becomes black, without voxels and pairs."""

    config: PixelPoints
    labels: bool = False

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a frame without anything in it."""
        config = self.config
        black: UInt8[np.ndarray, "3 height width"] = np.zeros((3, config.height, config.width), np.uint8)
        frame = {
            "image": black,
            "usable": np.zeros((), np.uint8),
            "voxel": np.zeros((0, 3), np.int32),
            "voxel_color": np.zeros((0, 3), np.uint8),
            **no_pairs(config.matches),
        }
        return frame | ({"pair_label": np.zeros(config.matches, np.uint8)} if self.labels else {})

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return stacked columns; voxels of all frames follow one another, led by the number of their frame."""
        frames = [self.empty() if frame is None else frame for frame in loaded]
        stacked = ["image", "usable", "pair_pixel", "pair_valid"] + ["pair_label"] * self.labels
        columns = {name: np.stack([frame[name] for frame in frames]) for name in stacked}
        columns["voxel"] = concatenate_numbered([frame["voxel"] for frame in frames])
        columns["voxel_color"] = np.concatenate([frame["voxel_color"] for frame in frames])
        columns["pair_voxel"] = stack_references(
            [frame["pair_voxel"] for frame in frames],
            [frame["pair_valid"] for frame in frames],
            [len(frame["voxel"]) for frame in frames],
        )
        return columns


def frame_samples(config: SingleFrames, storage: str, seed: int, *, labels: bool = False) -> dict[str, Samples]:
    """Open the training frames, augmented, and held-out frames, plain, by split: ``train`` and ``val``.

    With ``labels``, only frames that have them, and all of them plain. Raises :class:`UserError` where there is no training
    frame.
    """
    index = ensure_index(config.root, storage, config.prepare)
    frames = index.frames.filter(pc.not_equal(index.frames["label"], "")) if labels else index.frames
    train, held_out = (frames.filter(pc.equal(frames["split"], split)) for split in ("train", "val"))
    if not train.num_rows:
        raise UserError(f"no {'labelled ' * labels}training frames in {config.root}: lower --data.prepare.val-fraction")
    train = train.filter(pa.array(label_budget(frame_names(train), config.share, seed)))
    if held_out.num_rows:
        rows = np.unique(
            np.linspace(0, held_out.num_rows - 1, min(config.evaluation_frames, held_out.num_rows)).astype(int)
        )
        held_out = held_out.take(rows)
    return {
        split: Samples(
            table,
            LoadFrame(index.root, config, augment=split == "train" and not labels, labels=labels),
            CollateFrames(config, labels),
            digest([index.digest, split, frame_names(table)]),
            index.described,
            index.left_out,
        )
        for split, table in (("train", train), ("val", held_out))
    }


def frame_names(frames: pa.Table) -> list[str]:
    """Return ``scene/frame`` of each row."""
    return [
        f"{scene}/{frame}"
        for scene, frame in zip(frames["scene"].to_pylist(), frames["frame"].to_pylist(), strict=True)
    ]
