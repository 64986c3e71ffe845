"""Scans that are met under several names, and several scans that are met under one."""

from collections.abc import Hashable, Sequence
from pathlib import Path, PurePosixPath

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import divided
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.folders import file_identity

Place = tuple[str, str]
"""Name of a scene, and the folder or ``.sens`` file that its frames lie in."""


def without_copies(root: Path, records: Sequence[FrameRecord]) -> tuple[list[FrameRecord], list[Quarantined]]:
    """Return the records of each scan once, and a note on each that is, by links of any kind, another one too.

    Scans are told apart by the first image of each; one that is reached without symbolic links keeps its name.
    """
    own = root.resolve()
    scans = by_place(records)
    images = {place: own / divided(scan[0].color)[0] for place, scan in scans.items()}
    seen = {place: (file_identity(images[place]), scan[0].frame) for place, scan in scans.items()}
    first: dict[Hashable, Place] = {}
    for linked in (False, True):
        for place, image in images.items():
            if linked or image.resolve() == image:
                first.setdefault(seen[place], place)
    kept: list[FrameRecord] = []
    notes: list[Quarantined] = []
    for place, scan in scans.items():
        known = first[seen[place]]
        if known == place:
            kept += scan
        else:
            reason = f"another name of a scan: {known[0]}; taken once"
            notes.append(Quarantined(scan[0].color, scan[0].scene, reason))
    return kept, notes


def without_namesakes(records: Sequence[FrameRecord]) -> tuple[list[FrameRecord], list[Quarantined]]:
    """Return the records of the first scan of each name, and the others, whose frames would be taken for those of the first."""
    first: dict[str, str] = {}
    kept: list[FrameRecord] = []
    faults: list[Quarantined] = []
    for (scene, where), scan in by_place(records).items():
        known = first.setdefault(scene, where)
        if known == where:
            kept += scan
        else:
            reason = f"another scan has this name: {scene} is that of {known}; rename one of them"
            faults.append(Quarantined(where, scene, reason, len(scan)))
    return kept, faults


def by_place(records: Sequence[FrameRecord]) -> dict[Place, list[FrameRecord]]:
    """Return records by scan, in order of first appearance."""
    scans: dict[Place, list[FrameRecord]] = {}
    for record in records:
        file, number = divided(record.color)
        where = file if number else PurePosixPath(file).parent.as_posix()
        scans.setdefault((record.scene, where), []).append(record)
    return scans
