"""One scene as labelled points, in parts: what trains and what is held out, and chunks of these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from sem3d.bounds import Bounds, Metres
from sem3d.datasets.pictures import colors_fault
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.axis_alignment import FIELD, UNALIGNED, read_alignment
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.cloud_labels import mesh_labels, voted_labels
from sem3d.datasets.scans.frames import locate
from sem3d.datasets.scans.instances import Codes, InstanceFiles, read_objects, with_volume
from sem3d.datasets.scans.labels import CLASS_NAMES, TRAIN_ID_OF_NYU40
from sem3d.datasets.scans.prepare_scene import FARTHEST_CAMERA
from sem3d.datasets.scans.s3dis import read_room
from sem3d.datasets.scans.sun_rgbd import BOXES, read_frame
from sem3d.datasets.scans.surface import read_scene_mesh, read_surface
from sem3d.errors import BadSample, UserError
from sem3d.geometry.projection import transform
from sem3d.geometry.voxels import pack, voxel_indices

LEARNT_FROM = ("train", "val")
SMALLEST_CHUNK = 0.5
"""Metres; a file each."""
SMALLEST_SCENE = 0.5
"""Metres along the longest side of a scene."""
NEIGHBOURHOOD, FEWEST_NEIGHBOURS = 0.5, 4.0
"""Metres, and the vertices of a scanned mesh in a cube of that side that holds any, at least; of ScanNet's there are 680."""
NO_BOX = "no object of the classes: the scene has no box"
FLOOR, LEAST_FLOOR = CLASS_NAMES.index("floor"), 100
"""Train id, and how many points of the floor and of other classes tell where it is."""
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


def labelled_cloud(root: Path, files: LabelledScene, config: CloudConfig) -> LabelledCloud:
    """Return the labelled points of one scene: its whole surface, of whichever split its frames are.

    A scene that cannot be used is named.
    """
    try:
        with faults_of(files.scene):
            return read_cloud_of(root, files, config)
    except BadSample as error:
        return LabelledCloud(files.scene, unusable=Quarantined.of(error, files.scene))


def read_cloud_of(root: Path, files: LabelledScene, config: CloudConfig) -> LabelledCloud:
    """Return what :func:`labelled_cloud` does; raises :class:`BadSample` for a scene that cannot be used."""
    scene = files.scene
    if files.frame:
        return cloud_of_frame(root, files)
    if files.annotations:
        room = read_room(root, files.annotations, scene)
        whole = CloudPart("", room.points.astype(np.float32), room.colors, room.labels)
        check_places(files.annotations, whole.points)
        if fault := colors_fault(whole.colors) or spacing_fault(whole.points, "room"):
            raise BadSample(files.annotations, fault)
        return parts_of(files, files.annotations, whole, config, S3DIS_NAMES, LabelledCloud(scene, notes=room.notes))
    locator = files.labelled_mesh if config.labels != "frames" else ""
    voters = list(files.voters) if config.labels != "mesh" else []
    if not locator and not voters:
        return LabelledCloud(scene, notes=[Quarantined(files.named, scene, "no labels: its scene is left out")])
    if files.objects is not None and not files.objects:
        return LabelledCloud(scene, notes=[Quarantined(files.named, scene, "no objects: its scene is left out")])
    source = locator or voters[0]["label"]
    points, colors = surface_points(root, files, source)
    check_places(source, points)
    if locator:
        nyu40, frames = mesh_labels(root, locator, points), []
    else:
        nyu40, frames = voted_labels(root, voters, points, config.vote_voxel)
    labels = TRAIN_ID_OF_NYU40[nyu40]
    codes = read_objects(root, files.objects, labels) if files.objects else None
    points, notes = along_walls(root, files, points)
    whole = CloudPart("", points, colors, labels, codes)
    return parts_of(files, source, whole, config, CLASS_NAMES, LabelledCloud(scene, frames=frames, notes=notes))


def along_walls(
    root: Path, files: LabelledScene, points: Float32[np.ndarray, "point 3"]
) -> tuple[Float32[np.ndarray, "point 3"], list[Quarantined]]:
    """Return the points of a scene whose objects are wanted along the walls of its room, where a file says how, and a note where
    it does not; raises :class:`BadSample`.
    """
    if not files.objects or not files.objects.alignment:
        return points, []
    locator = files.objects.alignment
    alignment = read_alignment(root, locator)
    if alignment is None:
        return points, [Quarantined(locator, files.scene, f"{UNALIGNED}: its file has no line {FIELD}")]
    points = transform(alignment, points.astype(np.float64)).astype(np.float32)
    check_places(locator, points)
    return points, []


def cloud_of_frame(root: Path, files: LabelledScene) -> LabelledCloud:
    """Return the points of a frame of SUN RGB-D, which have boxes and no labels; raises :class:`BadSample`."""
    frame = read_frame(root, files.frame)
    flat = f"boxes without volume: {frame.flat} of {frame.flat + len(frame.boxes)} are left out"
    empty = f"boxes without a point: {frame.empty} of {len(frame.boxes)} hold none"
    known = ((flat, frame.flat), (empty, frame.empty), (NO_BOX, not len(frame.boxes)))
    said = [words for words, count in known if count]
    notes = [Quarantined(f"{files.frame}{BOXES}", files.scene, words) for words in said]
    (split,) = files.shares
    labels = np.zeros(len(frame.points), np.uint8)
    part = CloudPart(split, frame.points, frame.colors, labels, boxes=frame.boxes)
    return LabelledCloud(files.scene, [part], notes=notes)


def parts_of(
    files: LabelledScene,
    source: str,
    whole: CloudPart,
    config: CloudConfig,
    names: Sequence[str],
    found: LabelledCloud,
) -> LabelledCloud:
    """Return ``found`` with the parts of the ``whole`` scene, whose labels of the classes ``names`` come from ``source``; raises
    :class:`BadSample` where they are of no use.
    """
    check_classes(source, whole.labels, names)
    parts, notes = divided_by_space(files, whole.points)
    if fault := upright_fault(whole.points, whole.labels):
        notes.append(Quarantined(source, files.scene, fault))
    chunks = [
        part_of(whole, split, rows) for split, mask in parts for rows in chunks_of(whole.points, mask, config.chunk)
    ]
    if files.objects:
        chunks, flat = of_objects_with_volume(chunks)
        notes += [Quarantined(files.objects.groups, files.scene, flat)] if flat else []
        if not any(chunk.objects is not None and chunk.objects.any() for chunk in chunks):
            notes.append(Quarantined(files.objects.groups, files.scene, NO_BOX))
    known = [chunk for chunk in chunks if chunk.labels.any()]
    if left_out := len(chunks) - len(known):
        notes.append(Quarantined(source, files.scene, f"chunks without a label: {left_out} of {len(chunks)}"))
    return replace(found, parts=known, notes=found.notes + notes)


def part_of(whole: CloudPart, split: str, rows: np.ndarray) -> CloudPart:
    """Return some points of a scene as a sample of a split."""
    objects = None if whole.objects is None else whole.objects[rows]
    return CloudPart(split, whole.points[rows], whole.colors[rows], whole.labels[rows], objects)


def check_places(source: str, points: Float32[np.ndarray, "point 3"]) -> None:
    """Raise :class:`BadSample` where points lie where no scan reaches."""
    outside = int((np.abs(points) > FARTHEST_CAMERA).any(axis=1).sum())
    if outside:
        raise BadSample(
            source,
            f"points outside: {outside} lie more than {FARTHEST_CAMERA:.0f} m from the origin: give them in metres, near it",
        )


def of_objects_with_volume(chunks: list[CloudPart]) -> tuple[list[CloudPart], str]:
    """Return the chunks without objects that span no volume there, and words on these, "" where there is none."""
    left, lost, objects = [], 0, 0
    for chunk in chunks:
        assert chunk.objects is not None
        codes, flat, total = with_volume(chunk.points, chunk.objects)
        left.append(replace(chunk, objects=codes))
        lost, objects = lost + flat, objects + total
    return left, f"objects without volume: {lost} of {objects} have no box" if lost else ""


def surface_points(
    root: Path, files: LabelledScene, source: str
) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"]]:
    """Return points and colours of a scene's surface; raises :class:`BadSample` where there is none."""
    if files.surface is not None:
        return read_surface(files.surface, files.written)
    if not files.mesh:
        raise BadSample(source, "no surface: the scene has labels, and neither mesh nor depth to put them on")
    points, colors, _, _ = read_scene_mesh(locate(root, files.mesh))
    if fault := colors_fault(colors) or spacing_fault(points):
        raise BadSample(files.mesh, fault)
    return points, colors


def spacing_fault(points: Float32[np.ndarray, "point 3"], kind: str = "mesh") -> str | None:
    """Return why the points of a mesh, or of another ``kind``, are no room's in metres; None where they may be. No frame is there
    to tell its unit.
    """
    named = "vertices" if kind == "mesh" else "points"
    extent = float(np.ptp(points, axis=0).max(initial=0))
    if extent < SMALLEST_SCENE:
        return f"implausible {kind}: the whole scene lies within {extent:.3g} m: give its {named} in metres"
    if extent > 2 * FARTHEST_CAMERA:
        return None  # points outside
    around = len(points) / len(np.unique(pack(voxel_indices(points, NEIGHBOURHOOD))))
    if around >= FEWEST_NEIGHBOURS:
        return None
    return (
        f"implausible {kind}: its {named} lie far apart, {around:.1f} in a cube of {NEIGHBOURHOOD:g} m that has any: are they in "
        f"centimetres or inches? Give metres, and all {named} of the scan"
    )


def check_classes(source: str, labels: Labels, names: Sequence[str]) -> None:
    """Raise :class:`BadSample` where labels of a whole scene tell no two classes apart."""
    classes, counts = np.unique(labels[labels > 0], return_counts=True)
    if len(classes) == 0:
        raise BadSample(
            source, f"without a label of the {len(names) - 1} classes: none of {len(labels)} points has one"
        )
    if len(classes) == 1:
        raise BadSample(source, f"a single class: all {counts[0]} labelled points are {names[classes[0]]}")


def upright_fault(points: Float32[np.ndarray, "point 3"], labels: Labels) -> str | None:
    """Return why z does not point up by where the floor is; None where it may or where too little of a floor is labelled.

    Augmentation turns scenes about z, and the floor of scores goes by height.
    """
    floor = labels == FLOOR
    rest = (labels > 0) & ~floor
    if min(floor.sum(), rest.sum()) < LEAST_FLOOR:
        return None
    spans = np.ptp(np.quantile(points[floor], (0.05, 0.95), axis=0), axis=0)
    flat = int(spans.argmin())
    if flat != 2 and spans[2] > max(1.0, 3 * spans[flat]):
        told = f"its floor is {spans[2]:.1f} m along z and {spans[flat]:.1f} m along {'xy'[flat]}"
    elif np.median(points[floor, 2]) > np.median(points[rest, 2]):
        told = "its floor lies above the rest"
    else:
        return None
    return f"z is not up: {told}; turn the scans so that z points up"


def divided_by_space(
    files: LabelledScene, points: Float32[np.ndarray, "point 3"]
) -> tuple[list[tuple[str, Bool[np.ndarray, " point"]]], list[Quarantined]]:
    """Return the points of each split, and a note where a scene is of two: it is cut across its longer side, by their shares."""
    if len(files.shares) == 1:
        return [(split, np.ones(len(points), bool)) for split in files.shares], []
    axis = int(np.ptp(points[:, :2], axis=0).argmax())
    border = float(np.quantile(points[:, axis], files.shares["train"] / sum(files.shares.values())))
    first = points[:, axis] < border
    note = f"divided by space: {'xy'[axis]} below {border:.2f} m trains, the rest is held out"
    return [("train", first), ("val", ~first)], [Quarantined(files.named, files.scene, note)]


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
