"""Scenes with boxes around their objects: what 3D detection is fine-tuned and evaluated on, under a label budget.

One row is one scene, or a chunk of it. Its points become voxels; seeds are points of voxels, far apart, each with the object that
it belongs to. Points are in world axes (z up) around their mean. VoteNet turns a box with the scene and takes the box around
that; here the box is around the turned points themselves, and so never larger than the object. Boxes that a data set gives,
turned ones, move with the scene; a seed is then of the first three that hold it, where in VoteNet a fourth replaces the third.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int, UInt8, UInt16

from sem3d.bounds import Bounds
from sem3d.config import digest
from sem3d.datasets.box_motion import STILL, BoxAugmentation, Motion, drawn_motion
from sem3d.datasets.collate_ragged import concatenate_numbered, row_starts
from sem3d.datasets.labelled_frames import scene_numbers
from sem3d.datasets.labelled_scenes import LabelledScenes, cloud_source, train_and_held_out, within_budget
from sem3d.datasets.scans.annotated_sources import annotated_frames
from sem3d.datasets.scans.box_classes import BoxSet
from sem3d.datasets.scans.cloud_sources import with_objects
from sem3d.datasets.scans.clouds import ensure_clouds, read_points, read_points_of_objects
from sem3d.datasets.scans.instances import FIRST_OBJECT, NUMBERS, object_boxes
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.boxes import BOX, inside
from sem3d.geometry.farthest_points import farthest_points
from sem3d.geometry.voxels import distinct_voxels, voxel_indices

logger = logging.getLogger(__name__)
MOST_HOLDERS = 3
"""Boxes that a point may vote for, as in VoteNet."""


@dataclass(frozen=True, kw_only=True)
class SceneBoxes(LabelledScenes):
    """A choice of scenes with objects, their voxels and seeds, and the label budget."""

    boxes: BoxSet = "scannet"
    """Objects: ScanNet's 18 classes, from scans, or SUN RGB-D's 10, whose frames in VoteNet's layout root then holds."""
    most_points: int = 40_000
    """Points of a sample, drawn at random where it has more, in an evaluation the same each time; 0: all."""
    seeds: Annotated[int, Bounds(1, 1 << 16)] = 1024
    """Points of a sample that vote."""
    moved: BoxAugmentation = field(default_factory=BoxAugmentation)
    """Augmentation of training samples."""


@dataclass(frozen=True)
class SceneWithBoxes:
    """All points of a sample around their mean, metres, and the boxes of its objects."""

    points: Float[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]
    codes: UInt8[np.ndarray, " point"] | UInt16[np.ndarray, " point"]
    """Of the object of each point, 0 where none; labels where the data set gives boxes."""
    objects: UInt16[np.ndarray, " object"] | None
    """Ascending codes of the objects; None where the data set gives boxes."""
    named: Int[np.ndarray, " object"]
    """Number of the class of each box."""
    boxes: Float[np.ndarray, "object 7"]


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
        scene = self.scene(row, drawn_motion(self.config.moved, rng) if self.augment else STILL)
        chosen = self.drawn(len(scene.points), rng)
        points, codes = scene.points[chosen], scene.codes[chosen]
        try:
            found, seeds = voxels_and_seeds(points, scene.colors[chosen], self.config)
        except ValueError as error:
            raise BadSample(str(self.folder / row["file"]), str(error)) from error
        objects = scene.objects
        return found | {
            "seed_box": holders(points[seeds], scene.boxes) if objects is None else rows_of(codes[seeds], objects),
            "box": scene.boxes.astype(np.float32),
            "box_class": scene.named,
            "scene": np.array(self.scenes[row["scene"]]),
        }

    def scene(self, row: dict[str, Any], motion: Motion) -> "SceneWithBoxes":
        """Return all points of a sample, moved around their mean, and its boxes; raises :class:`BadSample` where its file is
        damaged.
        """
        path, given = self.folder / row["file"], "boxes" in row
        points, colors, codes = (read_points if given else read_points_of_objects)(path, row["written"])
        middle = points.mean(axis=0, dtype=np.float64)
        points = motion.of_points(points - middle)
        if given:
            named, boxes, objects = np.zeros(0, np.int64), np.zeros((0, BOX)), None
            if len(row["boxes"]):
                whole = np.array(row["boxes"], np.float64).reshape(-1, BOX + 1)
                named, boxes = whole[:, BOX].astype(np.int64), motion.of_boxes(whole[:, :BOX] - [*middle, 0, 0, 0, 0])
        else:
            objects, boxes = object_boxes(points, codes)
            named = objects.astype(np.int64) // NUMBERS - FIRST_OBJECT
        return SceneWithBoxes(points, colors, codes, objects, named, boxes)

    def drawn(self, points: int, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """Return rows of the points that a sample has, most_points or fewer; held-out ones stay in order where all are."""
        most = self.config.most_points
        if self.augment or 0 < most < points:
            return rng.permutation(points)[: most or None]
        return np.arange(points)


def voxels_and_seeds(
    points: Float[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"], config: SceneBoxes
) -> tuple[dict[str, np.ndarray], Int[np.ndarray, " seed"]]:
    """Return the columns of points as voxels and seeds, and the rows of the points that are seeds.

    Raises ValueError where points lie too far apart.
    """
    voxel, first, _ = distinct_voxels(voxel_indices(points, config.voxel_size))
    seeds = farthest_points(points[first], config.seeds)
    columns = {
        "voxel": voxel,
        "voxel_color": colors[first],
        "voxel_point": points[first].astype(np.float32),
        "seed_voxel": seeds,
        "seed_point": points[first[seeds]].astype(np.float32),
    }
    return columns, first[seeds]


def rows_of(codes: UInt16[np.ndarray, " seed"], objects: UInt16[np.ndarray, " object"]) -> Int[np.ndarray, "seed 1"]:
    """Return the row of each code among the ascending ones of ``objects``, -1 where it is none of these."""
    return np.where(np.isin(codes, objects), np.searchsorted(objects, codes), -1)[:, None]


def holders(points: Float[np.ndarray, "seed 3"], boxes: Float[np.ndarray, "box 7"]) -> Int[np.ndarray, "seed 3"]:
    """Return rows of the first three boxes that hold each point, -1 where there are fewer."""
    found = np.full((len(points), MOST_HOLDERS), -1)
    count = np.zeros(len(points), np.int64)
    for row, box in enumerate(boxes):
        held = np.flatnonzero(inside(points, box) & (count < MOST_HOLDERS))
        found[held, count[held]] = row
        count[held] += 1
    return found


@dataclass(frozen=True)
class CollateBoxes:
    """Loaded scenes to the columns of a batch; one that could not be used has no voxel and no box."""

    seeds: int
    choices: int = 1
    """Boxes that a seed may be of at most."""

    def empty(self) -> dict[str, np.ndarray]:
        """Return the arrays of a scene without points."""
        return {
            "voxel": np.zeros((0, 3), np.int32),
            "voxel_color": np.zeros((0, 3), np.uint8),
            "voxel_point": np.zeros((0, 3), np.float32),
            "seed_voxel": np.zeros(self.seeds, np.int64),
            "seed_point": np.zeros((self.seeds, 3), np.float32),
            "seed_box": np.full((self.seeds, self.choices), -1),
            "box": np.zeros((0, BOX), np.float32),
            "box_class": np.zeros(0, np.int64),
            "scene": np.array(-1),
        }

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return joined columns: ``voxel`` is led by its item and ``voxel_point`` the first point in it; ``seed_voxel`` (item,
        seed) names rows of it and ``seed_box`` (item, seed, choice) boxes of the item, -1 for none; ``box_class`` (item,
        object) is -1 in rows that are left; ``scene`` (item) is -1 where nothing is known.
        """
        scenes = [self.empty() if scene is None else scene for scene in loaded]
        starts = row_starts([len(scene["voxel"]) for scene in scenes])
        most = max(1, *(len(scene["box"]) for scene in scenes))
        rows = [(0, most - len(scene["box"])) for scene in scenes]
        return {
            "voxel": concatenate_numbered([scene["voxel"] for scene in scenes]),
            "voxel_color": np.concatenate([scene["voxel_color"] for scene in scenes]),
            "voxel_point": np.concatenate([scene["voxel_point"] for scene in scenes]),
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

    Raises :class:`UserError` where no training scene under the budget has an object.
    """
    root, frames = Path(config.root), config.boxes == "sun_rgbd"
    source = annotated_frames(root) if frames else with_objects(cloud_source(root, config.prepare, storage))
    clouds = ensure_clouds(source, storage, config.clouds, config.prepare.quarantine_limit, logger.info)
    train, held_out = train_and_held_out(clouds, config.root)
    train = within_budget(train, config)
    if not any_object(clouds.folder, train):
        raise UserError(
            f"no object of the classes in any training scene of {config.root}: name scans with such objects, or raise "
            f"--data.budget; scenes without one are named in {clouds.folder / 'quarantine.json'}"
        )
    if held_out.num_rows and not any_object(clouds.folder, held_out):
        logger.warning("no held-out scene has an object of the classes: average precision will be nan")
    return {
        split: Samples(
            table,
            LoadBoxes(clouds.folder, config, split == "train", scene_numbers(table)),
            CollateBoxes(config.seeds, MOST_HOLDERS if frames else 1),
            digest([split, *(table[name].to_pylist() for name in ("scene", "content"))]),
            clouds.described,
            clouds.folder / "quarantine.json",
        )
        for split, table in (("train", train), ("val", held_out))
    }


def any_object(folder: Path, parts: pa.Table) -> bool:
    """Return whether any of the samples has a box; their files are read up to the first that has one."""
    return any(has_object(folder, row) for row in parts.to_pylist())


def has_object(folder: Path, row: dict[str, Any]) -> bool:
    """Return whether a sample has a box; one that is damaged, and named when it is loaded, may have."""
    if "boxes" in row:
        return bool(row["boxes"])
    try:
        return bool(read_points_of_objects(folder / row["file"], row["written"])[2].any())
    except BadSample:
        return True
