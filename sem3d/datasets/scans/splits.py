"""Splits of frames: the data set's own lists, or a seeded share of rooms, or the end of a single room."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from sem3d.datasets.budgets import SCANNET_NAME, label_budget, listed_name, names_in, not_there
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.errors import UserError
from sem3d.folders import is_there

SPLITS = ("train", "val", "test")
SEQUENCE = re.compile(r"(?:(?P<room>.*)-)?seq-\d+", re.DOTALL | re.IGNORECASE)
"""Name of a scene that is one of the sequences of a folder, as in 7-Scenes."""


def read_split_lists(root: Path, splits: str) -> dict[str, str]:
    """Return splits by scene from ``scannetv2_<split>.txt`` or ``<split>.txt``, a scene a line, in ``splits``, else in ``root``;
    may be empty.

    Raises :class:`UserError` if ``splits`` is given and holds no list, or if a scene stands in two.
    """
    folder = Path(splits) if splits else root
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = next((folder / name for name in list_names(split) if is_there(folder / name)), None)
        for scene in names_in(path) if path else ():
            if split_of.setdefault(scene, split) != split:
                raise UserError(f"{path}: scene {scene} is also in the list of {split_of[scene]}: leave it in one")
    if splits and not split_of:
        raise UserError(f"no lists of scenes in {folder}: name one with scannetv2_train.txt, train.txt and so on")
    return split_of


def list_names(split: str) -> tuple[str, str]:
    """Return file names of the list of ``split``."""
    return f"scannetv2_{split}.txt", f"{split}.txt"


def assign_splits(
    records: Sequence[FrameRecord], split_of: dict[str, str], val_fraction: float, seed: int
) -> tuple[list[FrameRecord], list[Quarantined]]:
    """Return ``records`` with their split, and those whose scene no list names.

    A split the layout gives stays. Else the lists decide. Without lists ``val_fraction`` of the rooms is held out, drawn by
    a hash of ``seed`` (see :func:`room_of`). A single room is cut by time instead: the last ``val_fraction`` of each scene's
    frames are held out as one block.
    """
    open_records = [record for record in records if not record.split]
    if split_of:
        split_of = {scene: split_of.get(listed_name(scene, split_of) or "", "") for scene in {r.scene for r in records}}
        placed = [replace(record, split=record.split or split_of[record.scene]) for record in records]
        unlisted = [
            Quarantined(record.color, record.scene, f"scene in no split list: its name is {record.scene}")
            for record in placed
            if not record.split
        ]
        return [record for record in placed if record.split], unlisted
    rooms = sorted({room_of(record.scene) for record in open_records})
    if len(rooms) < 2:
        return [record for scene in by_scene(records) for record in cut_by_time(scene, val_fraction)], []
    held_out = held_out_rooms(rooms, val_fraction, seed)
    names = {True: "val", False: "train"}
    return [replace(record, split=record.split or names[room_of(record.scene) in held_out]) for record in records], []


def listed_elsewhere(split_of: dict[str, str], scenes: Iterable[str]) -> list[Quarantined]:
    """Return a note on each split of whose listed scenes some are not among ``scenes``."""
    found = {listed_name(scene, split_of) for scene in scenes}
    words = {split: not_there([name for name in split_of if split_of[name] == split], found) for split in SPLITS}
    return [
        Quarantined(f"list of {split}", "", f"{missing} of these data") for split, missing in words.items() if missing
    ]


def held_out_rooms(rooms: Sequence[str], val_fraction: float, seed: int) -> set[str]:
    """Return ``val_fraction`` of at least two rooms, drawn by a hash of ``seed``; at least one is left."""
    if val_fraction <= 0:
        return set()
    drawn = label_budget(rooms, min(val_fraction, 1 - 1 / len(rooms)), seed)
    return {room for room, take in zip(rooms, drawn, strict=True) if take}


def room_of(scene: str) -> str:
    """Return the room a scene shows, also where it lies in a folder of the user's.

    ScanNet numbers rescans of a room ``scene0000_00``, ``scene0000_01``; sequences ``seq-01``, ``seq-02`` of a folder are of one.
    """
    match = SCANNET_NAME.fullmatch(scene) or SEQUENCE.fullmatch(scene)
    return (match["room"] or "") if match else scene


def by_scene(records: Sequence[FrameRecord]) -> list[list[FrameRecord]]:
    """Return ``records`` grouped by scene, in order of first appearance."""
    scenes: dict[str, list[FrameRecord]] = {}
    for record in records:
        scenes.setdefault(record.scene, []).append(record)
    return list(scenes.values())


def cut_by_time(scene: Sequence[FrameRecord], val_fraction: float) -> list[FrameRecord]:
    """Return one scene's frames, the last ``val_fraction`` of them held out."""
    first_val = len(scene) - (min(max(1, round(val_fraction * len(scene))), len(scene) - 1) if val_fraction > 0 else 0)
    return [
        replace(record, split=record.split or ("val" if position >= first_val else "train"))
        for position, record in enumerate(scene)
    ]
