"""One scene as labelled points, in parts: what trains and what is held out, and chunks of these."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from sem3d.bounds import Bounds, Metres
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.cloud_labels import find_labelled_mesh, mesh_labels, voted_labels
from sem3d.datasets.scans.labels import CLASS_NAMES, TRAIN_ID_OF_NYU40
from sem3d.datasets.scans.prepare_scene import FARTHEST_CAMERA
from sem3d.datasets.scans.surface import read_surface
from sem3d.errors import BadSample, UserError

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


@dataclass(frozen=True)
class CloudPart:
    """Points that are one sample: world frame, metres, with train ids of the 20 classes, 0 where none."""

    split: str
    points: Float32[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]
    labels: Labels


@dataclass(frozen=True)
class LabelledCloud:
    """Result of one scene's task: without parts it cannot be used, or has no labels."""

    scene: str
    parts: list[CloudPart] = field(default_factory=list)
    unusable: Quarantined | None = None
    frames: list[Quarantined] = field(default_factory=list)
    """Labelled frames that could not vote."""
    notes: list[Quarantined] = field(default_factory=list)


def labelled_cloud(
    root: Path, rows: Sequence[Mapping[str, Any]], surface: Path | None, written: str, config: CloudConfig
) -> LabelledCloud:
    """Return the labelled points of the scene of ``rows`` (of ``frames.parquet``), whose ``surface`` was ``written`` so.

    The scene's whole surface counts, of whichever split its frames are. One that cannot be used is named.
    """
    scene = rows[0]["scene"]
    try:
        with faults_of(scene):
            return read_cloud_of(root, rows, surface, written, config)
    except BadSample as error:
        return LabelledCloud(scene, unusable=Quarantined.of(error, scene))


def read_cloud_of(
    root: Path, rows: Sequence[Mapping[str, Any]], surface: Path | None, written: str, config: CloudConfig
) -> LabelledCloud:
    """Return what :func:`labelled_cloud` does; raises :class:`BadSample` for a scene that cannot be used."""
    scene = rows[0]["scene"]
    locator = find_labelled_mesh(root, rows[0]) if config.labels != "frames" else ""
    voters = [row for row in rows if row["label"] and config.labels != "mesh"]
    if not locator and not voters:
        return LabelledCloud(scene, notes=[Quarantined(rows[0]["color"], scene, "no labels: its scene is left out")])
    source = locator or voters[0]["label"]
    if surface is None:
        raise BadSample(source, "no surface: the scene has labels, and neither mesh nor depth to put them on")
    points, colors = read_surface(surface, written)
    outside = int((np.abs(points) > FARTHEST_CAMERA).any(axis=1).sum())
    if outside:
        raise BadSample(source, f"points outside: {outside} lie more than {FARTHEST_CAMERA:.0f} m from the origin")
    if locator:
        nyu40, frames = mesh_labels(root, locator, points), []
    else:
        nyu40, frames = voted_labels(root, voters, points, config.vote_voxel)
    labels = TRAIN_ID_OF_NYU40[nyu40]
    check_classes(source, labels)
    parts, notes = divided_by_space(scene, rows, points)
    chunks = [
        CloudPart(split, points[chunk], colors[chunk], labels[chunk])
        for split, mask in parts
        for chunk in chunks_of(points, mask, config.chunk)
    ]
    known = [chunk for chunk in chunks if chunk.labels.any()]
    if len(known) < len(chunks):
        notes.append(Quarantined(source, scene, f"chunks without a label: {len(chunks) - len(known)} of {len(chunks)}"))
    return LabelledCloud(scene, known, frames=frames, notes=notes)


def check_classes(source: str, labels: Labels) -> None:
    """Raise :class:`BadSample` where labels of a whole scene tell no two classes apart."""
    classes, counts = np.unique(labels[labels > 0], return_counts=True)
    if len(classes) == 0:
        raise BadSample(source, f"without a label of the 20 classes: none of {len(labels)} points has one")
    if len(classes) == 1:
        raise BadSample(source, f"a single class: all {counts[0]} labelled points are {CLASS_NAMES[classes[0]]}")


def divided_by_space(
    scene: str, rows: Sequence[Mapping[str, Any]], points: Float32[np.ndarray, "point 3"]
) -> tuple[list[tuple[str, Bool[np.ndarray, " point"]]], list[Quarantined]]:
    """Return the points of each split, and a note where a scene has frames of two: it is cut across its longer side.

    The held-out share of the points is that of the frames.
    """
    count = Counter(row["split"] for row in rows if row["split"] in LEARNT_FROM)
    if len(count) == 1:
        return [(split, np.ones(len(points), bool)) for split in count], []
    axis = int(np.ptp(points[:, :2], axis=0).argmax())
    border = float(np.quantile(points[:, axis], count["train"] / count.total()))
    first = points[:, axis] < border
    note = f"divided by space: {'xy'[axis]} below {border:.2f} m trains, the rest is held out"
    return [("train", first), ("val", ~first)], [Quarantined(rows[0]["color"], scene, note)]


def chunks_of(
    points: Float32[np.ndarray, "point 3"], mask: Bool[np.ndarray, " point"], side: float
) -> Iterator[Bool[np.ndarray, " point"] | np.ndarray]:
    """Yield the rows of the points of each square of ``side`` that holds any of those in ``mask``; all of these where 0."""
    rows = np.flatnonzero(mask)
    if not side or not len(rows):
        yield from [rows] * bool(len(rows))
        return
    cells = np.floor((points[rows, :2] - points[rows, :2].min(axis=0)) / side).astype(np.int64)
    _, of_row = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    yield from np.split(rows[order], np.flatnonzero(np.diff(of_row[order])) + 1)
