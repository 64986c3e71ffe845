"""The files of a scene that labelled points are made of, and what is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

from sem3d.bounds import Bounds, Metres
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.class_lists import SCANNET, LabelSet
from sem3d.datasets.scans.instances import Codes, InstanceFiles
from sem3d.errors import UserError

LEARNT_FROM = ("train", "val")
SMALLEST_CHUNK = 0.5
"""Metres; a file each."""
Labels = UInt8[np.ndarray, " point"]


@dataclass(frozen=True, kw_only=True)
class CloudConfig:
    """The making of labelled clouds from an index."""

    labels: Literal["auto", "mesh", "frames"] = "auto"
    """Labels of a scene's points: of the labelled copy of its mesh (_vh_clean_2.labels.ply), or votes of the pixels of its
    labelled frames; auto: of the mesh where there is one."""
    vote_voxel: Metres = 0.05
    """Side of the voxels that pixels vote for, metres."""
    chunk: Annotated[float, Bounds(0, 1e3)] = 0.0
    """Side of the squares, seen from above, that scenes are cut into, metres; each is a sample. 0: scenes stay whole."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for chunks of which a scene would have thousands."""
        if 0 < self.chunk < SMALLEST_CHUNK:
            raise UserError(f"data.clouds.chunk is {self.chunk:g}, it must be 0 or at least {SMALLEST_CHUNK}")


@dataclass(frozen=True, kw_only=True)
class LabelledScene:
    """The files of one scene that labelled points are made of; locators are those of an index."""

    scene: str
    named: str
    """Locator that reports name it by."""
    shares: Mapping[str, int]
    """Weight of each split that has a part of it."""
    labelled_mesh: str = ""
    """Locator of the labelled copy of its mesh."""
    voters: Sequence[Mapping[str, Any]] = ()
    """Labelled frames, rows of ``frames.parquet``."""
    surface: Path | None = None
    """File of its surface in an index."""
    written: str = ""
    """SHA-256 of that file as it was written."""
    mesh: str = ""
    """Locator of its mesh, where there is no index."""
    objects: InstanceFiles | None = None
    """Files that tell its objects apart, where these are wanted."""
    annotations: str = ""
    """Locator of the folder of its annotations, of a room of S3DIS."""
    classes: LabelSet = SCANNET
    """Classes of its labels."""
    frame: str = ""
    """Locator of a frame of SUN RGB-D, without the endings of its files."""


@dataclass(frozen=True)
class CloudPart:
    """Points that are one sample: world frame, metres, with train ids of the 20 classes, 0 where none."""

    split: str
    points: Float32[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]
    labels: Labels
    objects: Codes | None = None
    """Code of the object of each point, where these are wanted."""
    boxes: Float32[np.ndarray, "box 8"] | None = None
    """Boxes with the number of their class, where the data set gives these."""


@dataclass(frozen=True)
class LabelledCloud:
    """Result of one scene's task: without parts it cannot be used, or has no labels."""

    scene: str
    parts: list[CloudPart] = field(default_factory=list)
    unusable: Quarantined | None = None
    frames: list[Quarantined] = field(default_factory=list)
    """Labelled frames that could not vote."""
    notes: list[Quarantined] = field(default_factory=list)
