"""A choice of labelled scenes under a budget: what 3D segmentation and 3D detection share of their data."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sem3d.bounds import Bounds, Metres, Seed
from sem3d.config import DataFolder, FilePath, digest
from sem3d.datasets.budgets import official_budget, scene_budget
from sem3d.datasets.scans.annotated_sources import annotated_rooms, refuse_rooms_of_s3dis
from sem3d.datasets.scans.class_lists import Classes, LabelSet
from sem3d.datasets.scans.cloud_sources import CloudSource, meshes_alone, scans_of_index
from sem3d.datasets.scans.clouds import Clouds, check_trained
from sem3d.datasets.scans.ensure_index import index_at, index_in, place_of_index
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_scene import CloudConfig
from sem3d.folders import is_there


@dataclass(frozen=True, kw_only=True)
class LabelledScenes:
    """A choice of labelled scenes, the side of their voxels, and the share of them in use."""

    generated: ClassVar = "rooms"
    root: DataFolder = ""
    """Folder of scans in a known layout, or of an index that jobs.prepare wrote."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """How the index is made where there is none yet."""
    clouds: CloudConfig = field(default_factory=CloudConfig)
    """How scenes become labelled points."""
    voxel_size: Metres = 0.025
    """Side of a voxel, metres."""
    budget: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """Share of the labelled training scenes in use; a smaller budget is part of a larger one."""
    budget_seed: Seed = 0
    """Decides which scenes, and points, a budget holds, apart from run.seed."""
    budget_list: FilePath = ""
    """File of scene names, such as ScanNet's data-efficient lists, instead of budget."""


def cloud_source(root: Path, prepare: PrepareConfig, storage: str, classes: Classes = "scannet") -> CloudSource:
    """Return the scenes at ``root``: an index, scans, meshes alone, or rooms of S3DIS, whose classes these are; the data are
    walked once where their index is there.
    """
    if classes == "s3dis":
        return annotated_rooms(root, prepare)
    index = index_at(root, prepare)
    if index:
        return scans_of_index(index)
    place = place_of_index(root, storage, prepare)
    if not is_there(place):
        refuse_rooms_of_s3dis(root)
        if meshes := meshes_alone(root, prepare):
            return meshes
    return scans_of_index(index_in(place, root, prepare))


def with_classes(source: CloudSource, classes: LabelSet, keys: list[str]) -> CloudSource:
    """Return the source of the same scenes labelled by a set of the user's own, which ``keys`` tell from others."""
    return replace(
        source,
        scenes=lambda: (replace(scene, classes=classes) for scene in source.scenes()),
        digest=digest(["classes", source.digest, *keys]),
        names=classes.names,
    )


def within_budget(parts: pa.Table, config: LabelledScenes) -> pa.Table:
    """Return the samples whose scene the budget holds."""
    scenes = parts["scene"].to_pylist()
    if config.budget_list:
        return parts.filter(pa.array(official_budget(config.budget_list, scenes)))
    return parts.filter(pa.array(scene_budget(scenes, config.budget, config.budget_seed)))


def train_and_held_out(clouds: Clouds, root: str) -> tuple[pa.Table, pa.Table]:
    """Return the samples of both splits, the second in a fixed mixed order; raises :class:`UserError` where none train."""
    train, held_out = (clouds.parts.filter(pc.equal(clouds.parts["split"], split)) for split in ("train", "val"))
    check_trained(train.num_rows, root, clouds.untrained)
    return train, held_out.take(np.random.default_rng(0).permutation(held_out.num_rows))
