"""Labelled single frames under a label budget: what 2D segmentation is fine-tuned and evaluated on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt8

from sem3d.bounds import Bounds, Seed, Share, Side
from sem3d.config import DataFolder, FilePath, digest
from sem3d.datasets.augment import ColorAugmentation, augment_color
from sem3d.datasets.budgets import label_budget, official_budget, scene_budget
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.frames import read_color, read_label, resize_color, resize_label
from sem3d.datasets.scans.index import Index, PrepareConfig
from sem3d.datasets.scans.own_classes import OwnClasses, label_set_of
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LabelledFrames:
    """A choice of labelled frames, their size, and the label budget."""

    generated: ClassVar = "rooms"
    root: DataFolder = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    height: Side = 240
    """Image and label height, pixels; scores are taken at this size."""
    width: Side = 320
    """Image and label width, pixels."""
    budget: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Share of the labelled training frames (or scenes) in use; a smaller budget is part of a larger one."""
    budget_unit: Literal["frame", "scene"] = "frame"
    """What the budget counts."""
    budget_seed: Seed = 0
    """Decides which frames or scenes a budget holds, apart from run.seed."""
    budget_list: FilePath = ""
    """File of scene names, such as ScanNet's data-efficient lists, instead of budget and budget_unit."""
    labels: OwnClasses = field(default_factory=OwnClasses)
    """Classes of your own."""
    mirror_probability: Share = 0.0
    """Share of training images mirrored left to right; neither paper nor released code does."""
    augment_color: bool = False
    """Pri3D's colour augmentation on training images; neither paper nor released code does."""


@dataclass(frozen=True)
class LoadLabelled:
    """Row of ``frames.parquet`` to an image and its training labels."""

    index: Index
    config: LabelledFrames
    augment: bool
    scenes: Mapping[str, int]
    """Number of each scene of the split."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``image`` uint8 (3, height, width), ``label`` uint8 (height, width), 0 where ignored, ``scene``: its number."""
        image = resize_color(read_color(self.index.root, row), (self.config.height, self.config.width))
        label = self.label(row)
        if self.augment and rng.random() < self.config.mirror_probability:
            image, label = image[:, ::-1], label[:, ::-1]
        if self.augment and self.config.augment_color:
            image = augment_color(np.ascontiguousarray(image), ColorAugmentation(), rng)
        return {
            "image": np.ascontiguousarray(image.transpose(2, 0, 1)),
            "label": np.ascontiguousarray(label),
            "scene": np.array(self.scenes[row["scene"]]),
        }

    def label(self, row: dict[str, Any]) -> UInt8[np.ndarray, "height width"]:
        """Return the training labels of a frame alone, as they are without augmentation; raises :class:`BadSample`."""
        classes = label_set_of(self.config)
        label = resize_label(read_label(self.index.root, row, classes.largest), (self.config.height, self.config.width))
        return classes.numbers(label, row["label"])


@dataclass(frozen=True)
class CollateLabelled:
    """Loaded frames to the columns of a batch; one that could not be used becomes black with every pixel ignored."""

    height: int
    width: int

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return stacked ``image``, ``label`` and ``scene``, which is -1 where nothing is known of the frame."""
        size = (self.height, self.width)
        empty = {"image": np.zeros((3, *size), np.uint8), "label": np.zeros(size, np.uint8), "scene": np.array(-1)}
        return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}


def within_budget(frames: pa.Table, config: LabelledFrames) -> np.ndarray:
    """Return mask of the frames that the budget holds."""
    scenes = frames["scene"].to_pylist()
    if config.budget_list:
        return official_budget(config.budget_list, scenes)
    if config.budget_unit == "scene":
        return scene_budget(scenes, config.budget, config.budget_seed)
    names = [f"{scene}/{frame}" for scene, frame in zip(scenes, frames["frame"].to_pylist(), strict=True)]
    return label_budget(names, config.budget, config.budget_seed)


def scene_numbers(frames: pa.Table) -> dict[str, int]:
    """Return a number for each scene of a table of frames, by its name."""
    return {scene: number for number, scene in enumerate(sorted(set(frames["scene"].to_pylist())))}


def labelled_samples(config: LabelledFrames, storage: str) -> dict[str, Samples]:
    """Open the labelled frames by split, ``train`` and ``val``, the training frames under the budget.

    Validation frames are in a fixed mixed order, so that pictures of the first ones show several rooms.

    Raises :class:`UserError` where the training split holds no labelled frame.
    """
    index = ensure_index(config.root, storage, config.prepare)
    labelled = index.frames.filter(pc.not_equal(index.frames["label"], ""))
    train, held_out = (labelled.filter(pc.equal(labelled["split"], split)) for split in ("train", "val"))
    if not train.num_rows:
        raise UserError(f"no labelled training frames in {config.root}: segmentation needs a layout with label images")
    if config.labels.ids:
        logger.info(config.labels.described())
    train = train.filter(pa.array(within_budget(train, config)))
    held_out = held_out.take(np.random.default_rng(0).permutation(held_out.num_rows))
    return {
        split: Samples(
            frames,
            LoadLabelled(index, config, split == "train", scene_numbers(frames)),
            CollateLabelled(config.height, config.width),
            digest(
                [index.digest, split, frames["scene"].to_pylist(), frames["frame"].to_pylist(), *config.labels.keys]
            ),
            index.described,
            index.left_out,
        )
        for split, frames in (("train", train), ("val", held_out))
    }
