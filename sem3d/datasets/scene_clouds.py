"""Labelled scenes as points: what 3D segmentation is fine-tuned and evaluated on, under a label budget.

One row is one scene, or a chunk of it. Its points become voxels, one point of each voxel gives the colour, and each point
remembers its voxel: labels are of points, the network's answer is of voxels. Points are in world axes (z up) around their mean.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, UInt8

from sem3d.bounds import Bounds
from sem3d.config import digest
from sem3d.datasets.augment_points import PointAugmentation, augment_points, rotation
from sem3d.datasets.budgets import point_budget
from sem3d.datasets.collate_ragged import concatenate_numbered, row_starts
from sem3d.datasets.labelled_frames import scene_numbers
from sem3d.datasets.labelled_scenes import (
    LabelledScenes,
    cloud_source,
    train_and_held_out,
    with_classes,
    within_budget,
)
from sem3d.datasets.scans.class_lists import Classes
from sem3d.datasets.scans.clouds import Clouds, ensure_clouds, read_points
from sem3d.datasets.scans.own_classes import OwnClasses, label_set_of
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.voxels import distinct_voxels, voxel_indices

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SceneClouds(LabelledScenes):
    """A choice of labelled scenes, their voxels, and the label budget."""

    classes: Classes = "scannet"
    """What points are labelled with: ScanNet's 20 classes, or the 13 of S3DIS, whose rooms root then holds."""
    labels: OwnClasses = field(default_factory=OwnClasses)
    """Classes of your own."""
    points_per_scene: int = 0
    """Labelled points of each training scene in use, 0: all; a smaller number is part of a larger one."""
    most_points: int = 0
    """Points of a training sample, drawn at random where it has more, labelled ones first under points_per_scene; 0: all."""
    points: PointAugmentation = field(default_factory=PointAugmentation)
    """Augmentation of training samples."""
    evaluation_turns: Annotated[int, Bounds(1, 64)] = 1
    """Turns about the vertical, evenly spread, whose predictions vote in an evaluation."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for classes of two kinds."""
        if self.labels.ids and self.classes != "scannet":
            raise UserError(
                f"data.labels are classes of your own, data.classes {self.classes} others: give one of them"
            )


@dataclass(frozen=True)
class LoadCloud:
    """Row of the samples' table to arrays; see :class:`CollateClouds` for what comes of them."""

    folder: Path
    """The folder of clouds."""
    config: SceneClouds
    augment: bool
    scenes: dict[str, int]
    """Number of each scene of the split."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return voxels of each turn and the points in them; raises :class:`BadSample` where a file or its points are damaged."""
        points, colors, labels = read_points(self.folder / row["file"], row["written"])
        points = points - points.mean(axis=0, dtype=np.float64)
        if self.augment:
            labels = self.labels_in_use(labels, row)
            chosen = self.drawn(labels, rng)
            points, colors, labels = (
                augment_points(points[chosen], self.config.points, rng),
                colors[chosen],
                labels[chosen],
            )
        turns = 1 if self.augment else self.config.evaluation_turns
        try:
            found = voxels_of_turns(points, colors, self.config.voxel_size, turns)
        except ValueError as error:
            raise BadSample(str(self.folder / row["file"]), str(error)) from error
        return found | {"point_label": labels, "scene": np.array(self.scenes[row["scene"]])}

    def labels_in_use(self, labels: UInt8[np.ndarray, " point"], row: dict[str, Any]) -> UInt8[np.ndarray, " point"]:
        """Return the labels that the budget of points holds, 0 for the others."""
        if not self.config.points_per_scene:
            return labels
        kept = np.zeros_like(labels)
        kept[row["chosen"]] = labels[row["chosen"]]
        return kept

    def drawn(self, labels: UInt8[np.ndarray, " point"], rng: np.random.Generator) -> np.ndarray:
        """Return rows of the points that a training sample has, in random order."""
        order, most = rng.permutation(len(labels)), self.config.most_points
        if not most or len(order) <= most:
            return order
        if self.config.points_per_scene:
            order = order[np.argsort(labels[order] == 0, kind="stable")]
        return order[:most]


def voxels_of_turns(
    points: Float[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"], voxel_size: float, turns: int
) -> dict[str, np.ndarray]:
    """Return the voxels of each turn of the points, one turn after the other, and the one that holds each point.

    ``voxel`` (voxel, 3), ``voxel_color`` (voxel, 3), ``turn_voxels`` (turn): how many, ``point_voxel`` (point, turn). Raises
    ValueError where points lie too far apart.
    """
    found = [distinct_voxels(voxel_indices(turned, voxel_size)) for turned in turned_points(points, turns)]
    counts = [len(voxel) for voxel, _, _ in found]
    return {
        "voxel": np.concatenate([voxel for voxel, _, _ in found]),
        "voxel_color": np.concatenate([colors[first] for _, first, _ in found]),
        "turn_voxels": np.array(counts),
        "point_voxel": np.stack([own + start for (_, _, own), start in zip(found, row_starts(counts), strict=True)], 1),
    }


def turned_points(points: Float[np.ndarray, "point 3"], turns: int) -> list[Float[np.ndarray, "point 3"]]:
    """Return the points turned about the vertical by each of ``turns`` even steps, 0 first."""
    angles = 2 * np.pi * np.arange(turns) / turns
    return [points @ rotation(np.array([0.0, 0.0, angle])).T if angle else points for angle in angles]


@dataclass(frozen=True)
class CollateClouds:
    """Loaded scenes to the columns of a batch; one that could not be used has no point."""

    turns: int

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a scene without points."""
        return {
            "voxel": np.zeros((0, 3), np.int32),
            "voxel_color": np.zeros((0, 3), np.uint8),
            "turn_voxels": np.zeros(self.turns, np.int64),
            "point_voxel": np.zeros((0, self.turns), np.int64),
            "point_label": np.zeros(0, np.uint8),
            "scene": np.array(-1),
        }

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return joined columns: ``voxel`` is led by item * turns + turn, ``point_voxel`` (point, turn) names rows of it, and
        ``scene`` (item) is -1 where nothing is known.
        """
        scenes = [self.empty() if scene is None else scene for scene in loaded]
        starts = row_starts([len(scene["voxel"]) for scene in scenes])
        turns = [part for scene in scenes for part in np.split(scene["voxel"], np.cumsum(scene["turn_voxels"])[:-1])]
        return {
            "voxel": concatenate_numbered(turns),
            "voxel_color": np.concatenate([scene["voxel_color"] for scene in scenes]),
            "point_voxel": np.concatenate(
                [scene["point_voxel"] + start for scene, start in zip(scenes, starts, strict=True)]
            ),
            "point_label": np.concatenate([scene["point_label"] for scene in scenes]),
            "scene": np.stack([scene["scene"] for scene in scenes]),
        }


def cloud_samples(config: SceneClouds, storage: str) -> dict[str, Samples]:
    """Open the labelled scenes by split, ``train`` (augmented, under the budget) and ``val``, in a fixed mixed order.

    Raises :class:`UserError` where no training scene has labels.
    """
    source = cloud_source(Path(config.root), config.prepare, storage, config.classes)
    if config.labels.ids:
        logger.info(config.labels.described())
        source = with_classes(source, label_set_of(config), config.labels.keys)
    clouds = ensure_clouds(source, storage, config.clouds, config.prepare.quarantine_limit, logger.info)
    train, held_out = train_and_held_out(clouds, config.root)
    train = with_budget_of_points(clouds, within_budget(train, config), config)
    return {
        split: Samples(
            table,
            LoadCloud(clouds.folder, config, split == "train", scene_numbers(table)),
            CollateClouds(1 if split == "train" else config.evaluation_turns),
            digest(
                [
                    split,
                    *(table[name].to_pylist() for name in ("scene", "content", "chosen") if name in table.column_names),
                ]
            ),
            clouds.described,
            clouds.folder / "quarantine.json",
        )
        for split, table in (("train", train), ("val", held_out))
    }


def with_budget_of_points(clouds: Clouds, parts: pa.Table, config: SceneClouds) -> pa.Table:
    """Return the samples with the column ``chosen``: the rows of the points whose labels are used, where not all are.

    A scene's points are drawn from all its chunks together. Raises :class:`UserError` where a file is damaged.
    """
    if not config.points_per_scene:
        return parts
    logger.info("drawing %d labelled points of each training scene", config.points_per_scene)
    rows = parts.to_pylist()
    chosen: list[list[int]] = [[] for _ in rows]
    for scene in sorted({row["scene"] for row in rows}):
        own = [number for number, row in enumerate(rows) if row["scene"] == scene]
        labelled = [labelled_rows(clouds, rows[number]) for number in own]
        sizes = [len(one) for one in labelled]
        drawn = point_budget(scene, sum(sizes), config.points_per_scene, config.budget_seed)
        for number, one, start in zip(own, labelled, row_starts(sizes), strict=True):
            inside = drawn[(drawn >= start) & (drawn < start + len(one))]
            chosen[number] = one[inside - start].tolist()
    return parts.append_column("chosen", pa.array(chosen, pa.list_(pa.int32())))


def labelled_rows(clouds: Clouds, row: dict[str, Any]) -> np.ndarray:
    """Return the rows of a sample's points that have a label."""
    try:
        return np.flatnonzero(read_points(clouds.folder / row["file"], row["written"])[2])
    except BadSample as error:
        raise UserError(str(error)) from error
