"""Scenes with boxes around their objects: what 3D detection is fine-tuned and evaluated on, under a label budget.

One row is one scene, or a chunk of it. Its points become voxels; seeds are points of voxels, far apart, each with the object that
it belongs to. Points are in world axes (z up) around their mean. VoteNet turns a box with the scene and takes the box around
that; here the box is around the turned points themselves, and so never larger than the object.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from jaxtyping import Float

from sem3d.bounds import Bounds, Metres, Seed, Share
from sem3d.config import DataFolder, FilePath, digest
from sem3d.datasets.augment_points import rotation
from sem3d.datasets.collate_ragged import concatenate_numbered, row_starts
from sem3d.datasets.labelled_frames import scene_numbers
from sem3d.datasets.scans.cloud_sources import with_objects
from sem3d.datasets.scans.clouds import ensure_clouds, read_points_of_objects
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.instances import FIRST_OBJECT, NUMBERS, object_boxes
from sem3d.datasets.scans.labelled_cloud import CloudConfig
from sem3d.datasets.scene_clouds import cloud_source, train_and_held_out, within_budget
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.geometry.boxes import BOX
from sem3d.geometry.farthest_points import farthest_points
from sem3d.geometry.voxels import distinct_voxels, voxel_indices

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BoxAugmentation:
    """Motions of a scene that leave boxes upright; the defaults are VoteNet's for ScanNet."""

    mirror_probability: Share = 0.5
    """Probability with which x is mirrored, and y."""
    turn: float = 5.0
    """Turn about the vertical is drawn from -+ this, degrees."""


@dataclass(frozen=True, kw_only=True)
class SceneBoxes:
    """A choice of scenes with objects, their voxels and seeds, and the label budget."""

    generated: ClassVar = "rooms"
    counted: ClassVar = "scene"
    root: DataFolder = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    clouds: CloudConfig = field(default_factory=CloudConfig)
    """How scenes become labelled points."""
    voxel_size: Metres = 0.025
    """Side of a voxel, metres."""
    budget: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Share of the training scenes in use; a smaller budget is part of a larger one."""
    budget_seed: Seed = 0
    """Decides which scenes a budget holds, apart from run.seed."""
    budget_list: FilePath = ""
    """File of scene names, such as ScanNet's data-efficient lists, instead of budget."""
    most_points: int = 40_000
    """Points of a training sample, drawn at random where it has more; 0: all."""
    seeds: Annotated[int, Bounds(1, 1 << 16)] = 1024
    """Points of a sample that vote."""
    moved: BoxAugmentation = field(default_factory=BoxAugmentation)
    """Augmentation of training samples."""


@dataclass(frozen=True)
class LoadBoxes:
    """Row of the samples' table to arrays; see :class:`CollateBoxes` for what comes of them."""

    folder: Path
    """The folder of clouds."""
    config: SceneBoxes
    augment: bool
    scenes: dict[str, int]
    """Number of each scene of the split."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return voxels, seeds and boxes; raises :class:`BadSample` where a file or its points are damaged."""
        points, colors, codes = read_points_of_objects(self.folder / row["file"], row["written"])
        points = points - points.mean(axis=0, dtype=np.float64)
        if self.augment:
            points = moved_points(points, self.config.moved, rng)
        objects, boxes = object_boxes(points, codes)
        if self.augment:
            chosen = rng.permutation(len(points))[: self.config.most_points or None]
            points, colors, codes = points[chosen], colors[chosen], codes[chosen]
        try:
            voxel, first, _ = distinct_voxels(voxel_indices(points, self.config.voxel_size))
        except ValueError as error:
            raise BadSample(str(self.folder / row["file"]), str(error)) from error
        seeds = farthest_points(points[first], self.config.seeds)
        owner = codes[first[seeds]]
        place = np.searchsorted(objects, owner)
        known = np.isin(owner, objects)
        return {
            "voxel": voxel,
            "voxel_color": colors[first],
            "seed_voxel": seeds,
            "seed_point": points[first[seeds]].astype(np.float32),
            "seed_box": np.where(known, place, -1)[:, None],
            "box": boxes.astype(np.float32),
            "box_class": objects.astype(np.int64) // NUMBERS - FIRST_OBJECT,
            "scene": np.array(self.scenes[row["scene"]]),
        }


def moved_points(
    points: Float[np.ndarray, "point 3"], config: BoxAugmentation, rng: np.random.Generator
) -> Float[np.ndarray, "point 3"]:
    """Return points mirrored and turned about the vertical through the origin; the same generator gives the same."""
    signs = np.where(rng.random(2) < config.mirror_probability, -1.0, 1.0)
    angle = rng.uniform(-1, 1) * np.radians(config.turn)
    return points * np.array([*signs, 1.0]) @ rotation(np.array([0.0, 0.0, angle])).T


@dataclass(frozen=True)
class CollateBoxes:
    """Loaded scenes to the columns of a batch; one that could not be used has no voxel and no box."""

    seeds: int

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a scene without points."""
        return {
            "voxel": np.zeros((0, 3), np.int32),
            "voxel_color": np.zeros((0, 3), np.uint8),
            "seed_voxel": np.zeros(self.seeds, np.int64),
            "seed_point": np.zeros((self.seeds, 3), np.float32),
            "seed_box": np.full((self.seeds, 1), -1),
            "box": np.zeros((0, BOX), np.float32),
            "box_class": np.zeros(0, np.int64),
            "scene": np.array(-1),
        }

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return joined columns: ``voxel`` is led by its item, ``seed_voxel`` (item, seed) names rows of it and ``seed_box``
        (item, seed, choice) boxes of the item, -1 for none; ``box_class`` (item, object) is -1 in rows that are left;
        ``scene`` (item) is -1 where nothing is known.
        """
        scenes = [self.empty() if scene is None else scene for scene in loaded]
        starts = row_starts([len(scene["voxel"]) for scene in scenes])
        most = max(1, *(len(scene["box"]) for scene in scenes))
        rows = [(0, most - len(scene["box"])) for scene in scenes]
        return {
            "voxel": concatenate_numbered([scene["voxel"] for scene in scenes]),
            "voxel_color": np.concatenate([scene["voxel_color"] for scene in scenes]),
            "seed_voxel": np.stack([scene["seed_voxel"] + start for scene, start in zip(scenes, starts, strict=True)]),
            "seed_point": np.stack([scene["seed_point"] for scene in scenes]),
            "seed_box": np.stack([scene["seed_box"] for scene in scenes]),
            "box": np.stack([np.pad(scene["box"], (left, (0, 0))) for scene, left in zip(scenes, rows, strict=True)]),
            "box_class": np.stack(
                [np.pad(scene["box_class"], left, constant_values=-1) for scene, left in zip(scenes, rows, strict=True)]
            ),
            "scene": np.stack([scene["scene"] for scene in scenes]),
        }


def box_samples(config: SceneBoxes, storage: str) -> dict[str, Samples]:
    """Open the scenes with objects by split, ``train`` (augmented, under the budget) and ``val``, in a fixed mixed order.

    Raises :class:`UserError` where no training scene has objects.
    """
    source = with_objects(cloud_source(Path(config.root), config.prepare, storage))
    clouds = ensure_clouds(source, storage, config.clouds, config.prepare.quarantine_limit, logger.info)
    train, held_out = train_and_held_out(clouds, config.root)
    return {
        split: Samples(
            table,
            LoadBoxes(clouds.folder, config, split == "train", scene_numbers(table)),
            CollateBoxes(config.seeds),
            digest([split, *(table[name].to_pylist() for name in ("scene", "content"))]),
            clouds.described,
            clouds.folder / "quarantine.json",
        )
        for split, table in (("train", within_budget(train, config)), ("val", held_out))
    }
