"""One scene as labelled points, in parts: what trains and what is held out, and chunks of these."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from sem3d.datasets.pictures import colors_fault
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.axis_alignment import FIELD, UNALIGNED, read_alignment
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.cloud_faults import check_places, spacing_fault
from sem3d.datasets.scans.cloud_labels import mesh_labels, voted_labels
from sem3d.datasets.scans.cloud_parts import NO_BOX, parts_of
from sem3d.datasets.scans.frames import locate
from sem3d.datasets.scans.instances import read_objects
from sem3d.datasets.scans.labelled_scene import CloudConfig, CloudPart, LabelledCloud, LabelledScene
from sem3d.datasets.scans.s3dis import read_room
from sem3d.datasets.scans.sun_rgbd import BOXES, read_frame
from sem3d.datasets.scans.surface import read_scene_mesh, read_surface
from sem3d.errors import BadSample
from sem3d.geometry.projection import transform


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
        ids, frames = mesh_labels(root, locator, points, files.classes.largest), []
    else:
        ids, frames = voted_labels(root, voters, points, (config.vote_voxel, files.classes.largest))
    labels = files.classes.numbers(ids, source, "points")
    codes = read_objects(root, files.objects, labels) if files.objects else None
    points, notes = along_walls(root, files, points)
    whole = CloudPart("", points, colors, labels, codes)
    return parts_of(files, source, whole, config, files.classes.names, LabelledCloud(scene, frames=frames, notes=notes))


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
    turned = transform(alignment, points.astype(np.float64))
    check_places(locator, turned)
    return turned.astype(np.float32), []


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
