"""Splits of frames: the data set's own lists, or a seeded share of rooms, or the end of a single room."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sem3d.datasets.budgets import label_budget
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import read_text

SPLITS = ("train", "val", "test")


def read_split_lists(root: Path, splits: str) -> dict[str, str]:
    """Return splits by scene from ``scannetv2_<split>.txt`` or ``<split>.txt`` in ``splits``, else in ``root``; may be empty.

    Raises :class:`UserError` if ``splits`` is given and holds no list, or if a scene stands in two.
    """
    folder = Path(splits) if splits else root
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = next((folder / name for name in list_names(split) if is_there(folder / name)), None)
        for scene in read_text(path).split() if path else ():
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
    a hash of ``seed`` (rescans ``scene0000_00`` and ``_01`` are one room). A single room is cut by time instead: the last
    ``val_fraction`` of each scene's frames are held out as one block.
    """
    open_records = [record for record in records if not record.split]
    if split_of:
        unlisted = [record for record in open_records if record.scene not in split_of]
        left = {id(record) for record in unlisted}
        kept = [
            replace(record, split=record.split or split_of[record.scene])
            for record in records
            if id(record) not in left
        ]
        return kept, [Quarantined(record.color, record.scene, "scene in no split list") for record in unlisted]
    rooms = sorted({room_of(record.scene) for record in open_records})
    if len(rooms) < 2:
        return [record for scene in by_scene(records) for record in cut_by_time(scene, val_fraction)], []
    held_out: set[str] = set()
    if val_fraction > 0:
        drawn = label_budget(rooms, min(val_fraction, 1 - 1 / len(rooms)), seed)
        held_out = {room for room, take in zip(rooms, drawn, strict=True) if take}
    names = {True: "val", False: "train"}
    return [replace(record, split=record.split or names[room_of(record.scene) in held_out]) for record in records], []


def room_of(scene: str) -> str:
    """Return the room a scene shows: ScanNet numbers rescans of a room ``scene0000_00``, ``scene0000_01``."""
    match = re.fullmatch(r"(scene\d{4})_\d{2}", scene)
    return match[1] if match else scene


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
