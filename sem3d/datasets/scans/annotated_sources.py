"""Scenes of data sets that annotate points themselves, as sources of labelled clouds."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sem3d.config import digest
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.box_classes import SUN_RGBD
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.cloud_sources import CloudSource, state_of
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_scene import LEARNT_FROM, LabelledScene
from sem3d.datasets.scans.s3dis import (
    ANNOTATIONS,
    HELD_OUT_AREA,
    LARGEST_FILE,
    has_annotations,
    object_files,
    room_folders,
    room_name,
)
from sem3d.datasets.scans.splits import read_split_lists
from sem3d.datasets.scans.sun_rgbd import BOXES, POINTS, frames_of
from sem3d.errors import BadSample, UserError
from sem3d.files import first_of_content


def annotated_rooms(root: Path, config: PrepareConfig) -> CloudSource:
    """Return the rooms of S3DIS; area 5 is held out unless there are lists of rooms. Of copies of a room the first is taken.

    Raises :class:`UserError` where there are no rooms.
    """
    try:
        folders = list(room_folders(root)) if root.is_dir() else []
        files = {room: object_files(room / ANNOTATIONS) for _, room in folders if has_annotations(room)}
    except BadSample as error:
        raise UserError(f"{error}: let this user read it") from error
    if not files:
        raise UserError(
            f"no rooms of S3DIS in {root}: it has no Area_<n>/<room>/Annotations; name the folder that holds Area_1"
        )
    split_of = read_split_lists(root, config.splits)
    splits = {
        room: split_of.get(room_name(root, room)) if split_of else ("val" if area == HELD_OUT_AREA else "train")
        for area, room in folders
    }
    used = {room: own for room, own in files.items() if splits[room] in LEARNT_FROM}
    copies = copied_rooms(root, used)
    unusable = [fault for room in splits if (fault := fault_of_room(root, room, room in files, splits[room]))]
    scenes = [
        LabelledScene(
            scene=room_name(root, room),
            named=annotations_of(root, room),
            shares={str(splits[room]): 1},
            annotations=annotations_of(root, room),
        )
        for room in used
        if room not in copies
    ]
    states = [
        [splits[room], *(state_of(root, path.relative_to(root).as_posix()) for path in used[room])]
        for room in used
        if room not in copies
    ]
    left = [annotations_of(root, room) for room in splits if room not in files or room in copies]
    return CloudSource(
        root=root,
        scenes=lambda: iter(scenes),
        total=len(scenes),
        digest=digest(["s3dis", str(root.resolve()), states] + ([left] if left else [])),
        described=f"S3DIS: {len(scenes)} room{'s' * (len(scenes) != 1)}",
        missing="no room can be used",
        untrained=(
            "all rooms that can be used are held out, as Area 5 is unless lists say otherwise: add other areas, or name a "
            "folder of lists (splits)"
        ),
        unread=("labels", "vote_voxel"),
        names=S3DIS_NAMES,
        unusable=tuple(unusable),
        notes=tuple(copies.values()),
    )


def annotations_of(root: Path, room: Path) -> str:
    """Return the locator of a room's annotations."""
    return (room / ANNOTATIONS).relative_to(root).as_posix()


def fault_of_room(root: Path, room: Path, whole: bool, split: str | None) -> Quarantined | None:
    """Return why a room is no scene, by the lists or because it is not ``whole``; None where it is one, or is for tests."""
    scene = room_name(root, room)
    if not whole:
        return Quarantined(room.relative_to(root).as_posix(), scene, f"no {ANNOTATIONS}: unpack the room again")
    if split is None:
        return Quarantined(annotations_of(root, room), scene, f"scene in no split list: its name is {scene}")
    return None


def copied_rooms(root: Path, files: Mapping[Path, Sequence[Path]]) -> dict[Path, Quarantined]:
    """Return a note on each room whose files, whatever their names, have the bytes of those of a room before it."""
    first = first_of_content([path for own in files.values() for path in own], LARGEST_FILE)
    met: dict[tuple[Path, ...], Path] = {}
    copies = {}
    for room, own in files.items():
        original = met.setdefault(tuple(sorted(first[path] for path in own)), room) if own else room
        if original != room:
            reason = f"a copy of a room: its files have the bytes of {room_name(root, original)}; taken once"
            copies[room] = Quarantined(annotations_of(root, room), room_name(root, room), reason)
    return copies


def annotated_frames(root: Path) -> CloudSource:
    """Return the frames of SUN RGB-D in VoteNet's layout; raises :class:`UserError` where there are none to train on.

    A number that both splits have is held out: the same image would train and be scored.
    """
    try:
        found = list(frames_of(root)) if root.is_dir() else []
    except BadSample as error:
        raise UserError(f"{error}: let this user read it") from error
    if "train" not in {split for split, _ in found}:
        raise UserError(
            f"no training frames of SUN RGB-D in {root}: it has no sunrgbd_pc_bbox_votes_<...>_train with <number>{POINTS} and "
            f"<number>{BOXES}; run VoteNet's sunrgbd_data.py"
        )
    twice = trained_and_held_out(found)
    left = {fault.source for fault in twice}
    found = [(split, locator) for split, locator in found if locator not in left]
    scenes = [
        LabelledScene(scene=PurePosixPath(locator).name, named=locator, shares={split: 1}, frame=locator)
        for split, locator in found
    ]
    states = [[split, state_of(root, locator + POINTS), state_of(root, locator + BOXES)] for split, locator in found]
    return CloudSource(
        root=root,
        scenes=lambda: iter(scenes),
        total=len(scenes),
        digest=digest(["sun_rgbd", str(root.resolve()), states] + ([sorted(left)] if left else [])),
        described=f"SUN RGB-D: {len(scenes)} frame{'s' * (len(scenes) != 1)}",
        missing="no frame can be used",
        untrained="no frame of the training folder can be used; run VoteNet's sunrgbd_data.py again",
        unread=("labels", "vote_voxel", "chunk"),
        names=SUN_RGBD.names,
        counted="boxes",
        unusable=tuple(twice),
    )


def trained_and_held_out(frames: Sequence[tuple[str, str]]) -> list[Quarantined]:
    """Return why training frames that have the number of a held-out one, by split and locator, are left out."""
    held_out = {PurePosixPath(locator).name: locator for split, locator in frames if split == "val"}
    named = [(PurePosixPath(locator).name, locator) for split, locator in frames if split == "train"]
    words = "in both splits: {} has its number and is held out; remove one of them"
    return [Quarantined(locator, scene, words.format(held_out[scene])) for scene, locator in named if scene in held_out]


def refuse_rooms_of_s3dis(root: Path) -> None:
    """Raise :class:`UserError` where ``root`` holds rooms of S3DIS, for whoever looks for scans."""
    try:
        found = root.is_dir() and any(has_annotations(room) for _, room in room_folders(root))
    except BadSample:
        return
    if found:
        raise UserError(f"{root} holds rooms of S3DIS, no scans: segmentation takes them with --data.classes s3dis")
