"""Scenes of data sets that annotate points themselves, as sources of labelled clouds."""

from pathlib import Path, PurePosixPath

from sem3d.config import digest
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.box_classes import SUN_RGBD
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.cloud_sources import CloudSource, state_of
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_cloud import LEARNT_FROM, LabelledScene
from sem3d.datasets.scans.s3dis import HELD_OUT_AREA, object_files, room_folders, room_name
from sem3d.datasets.scans.splits import read_split_lists
from sem3d.datasets.scans.sun_rgbd import BOXES, POINTS, frames_of
from sem3d.errors import BadSample, UserError


def annotated_rooms(root: Path, config: PrepareConfig) -> CloudSource:
    """Return the rooms of S3DIS; area 5 is held out unless there are lists of rooms.

    Raises :class:`UserError` where there are no rooms.
    """
    try:
        found = list(room_folders(root)) if root.is_dir() else []
        files = {folder: object_files(folder / "Annotations") for _, folder in found}
    except BadSample as error:
        raise UserError(f"{error}: let this user read it") from error
    if not found:
        raise UserError(
            f"no rooms of S3DIS in {root}: it has no Area_<n>/<room>/Annotations; name the folder that holds Area_1"
        )
    split_of = read_split_lists(root, config.splits)
    scenes, unlisted, states = [], [], []
    for area, folder in found:
        scene, locator = room_name(root, folder), folder.relative_to(root).as_posix() + "/Annotations"
        split = split_of.get(scene) if split_of else ("val" if area == HELD_OUT_AREA else "train")
        if split in LEARNT_FROM:
            scenes.append(LabelledScene(scene=scene, named=locator, shares={split: 1}, annotations=locator))
            states.append([split, *(state_of(root, path.relative_to(root).as_posix()) for path in files[folder])])
        elif split is None:
            unlisted.append(Quarantined(locator, scene, f"scene in no split list: its name is {scene}"))
    return CloudSource(
        root=root,
        scenes=lambda: iter(scenes),
        total=len(scenes),
        digest=digest(["s3dis", str(root.resolve()), states]),
        described=f"S3DIS: {len(scenes)} room{'s' * (len(scenes) != 1)}",
        missing="no room can be used",
        names=S3DIS_NAMES,
        unusable=tuple(unlisted),
    )


def annotated_frames(root: Path) -> CloudSource:
    """Return the frames of SUN RGB-D in VoteNet's layout; raises :class:`UserError` where there are none to train on."""
    try:
        found = list(frames_of(root)) if root.is_dir() else []
    except BadSample as error:
        raise UserError(f"{error}: let this user read it") from error
    if "train" not in {split for split, _ in found}:
        raise UserError(
            f"no training frames of SUN RGB-D in {root}: it has no sunrgbd_pc_bbox_votes_<...>_train with <number>{POINTS} and "
            f"<number>{BOXES}; run VoteNet's sunrgbd_data.py"
        )
    scenes = [
        LabelledScene(scene=PurePosixPath(locator).name, named=locator, shares={split: 1}, frame=locator)
        for split, locator in found
    ]
    states = [[split, state_of(root, locator + POINTS), state_of(root, locator + BOXES)] for split, locator in found]
    return CloudSource(
        root=root,
        scenes=lambda: iter(scenes),
        total=len(scenes),
        digest=digest(["sun_rgbd", str(root.resolve()), states]),
        described=f"SUN RGB-D: {len(scenes)} frame{'s' * (len(scenes) != 1)}",
        missing="no frame can be used",
        names=SUN_RGBD.names,
        counted="boxes",
    )


def refuse_rooms_of_s3dis(root: Path) -> None:
    """Raise :class:`UserError` where ``root`` holds rooms of S3DIS, for whoever looks for scans."""
    try:
        found = root.is_dir() and next(room_folders(root), None)
    except BadSample:
        return
    if found:
        raise UserError(f"{root} holds rooms of S3DIS, no scans: segmentation takes them with --data.classes s3dis")
