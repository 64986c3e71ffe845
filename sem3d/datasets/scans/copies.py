"""Scans that are met under several names, by links or as copies, and several scans that are met under one."""

import hashlib
from collections.abc import Hashable, Sequence
from pathlib import Path, PurePosixPath

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import divided
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.files import open_regular
from sem3d.folders import file_identity

LOOKED_AT = 1 << 20
"""Bytes at the begin and at the end of a file that tell copies."""

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
    return without_duplicates(root, kept, notes)


def without_duplicates(
    root: Path, records: Sequence[FrameRecord], notes: list[Quarantined]
) -> tuple[list[FrameRecord], list[Quarantined]]:
    """Return the records of each scan once, where others are copies of its files, and ``notes`` with one on each of those.

    Copies would stand on both sides of a split. Poses tell scans apart; files are looked into only where all poses are equal.
    """
    alike: dict[bytes, list[Place]] = {}
    scans = by_place(records)
    for place, scan in scans.items():
        alike.setdefault(poses_digest(scan), []).append(place)
    first: dict[Hashable, Place] = {}
    kept: list[FrameRecord] = []
    said = list(notes)
    twins = {place for places in alike.values() if len(places) > 1 for place in places}
    for place, scan in scans.items():
        known = first.setdefault(images_digest(root, scan), place) if place in twins else place
        if known == place:
            kept += scan
        else:
            reason = f"a copy of a scan: its poses and images are those of {known[0]}; taken once"
            said.append(Quarantined(scan[0].color, scan[0].scene, reason))
    return kept, said


def poses_digest(scan: Sequence[FrameRecord]) -> bytes:
    """Return a digest of numbers and poses of a scan's frames."""
    seen = hashlib.sha256()
    for record in scan:
        seen.update(b"%d" % record.frame + record.world_from_camera.tobytes())
    return seen.digest()


def images_digest(root: Path, scan: Sequence[FrameRecord]) -> Hashable:
    """Return a digest of begin, end and size of the files that hold colour and depth of some of a scan's frames.

    A scan of which one cannot be read is like no other.
    """
    seen = hashlib.sha256()
    some = sorted({0, len(scan) // 2, len(scan) - 1})
    try:
        for file in dict.fromkeys(divided(name)[0] for n in some for name in (scan[n].color, scan[n].depth)):
            with open_regular(root / file) as stream:
                size = stream.seek(0, 2)
                seen.update(b"%d" % size)
                for start in (0, max(0, size - LOOKED_AT)):
                    stream.seek(start)
                    seen.update(stream.read(LOOKED_AT))
    except OSError:
        return scan[0].color
    return seen.digest()


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
