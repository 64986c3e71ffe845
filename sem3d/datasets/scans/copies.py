"""Scans that are met under several names, by links or as copies, and several scans that are met under one."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path, PurePosixPath

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import divided, open_scan
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.errors import BadSample
from sem3d.files import open_regular
from sem3d.folders import file_identity

LOOKED_AT = 1 << 20
"""Bytes at the begin and at the end of a file that tell copies."""

Place = tuple[str, str]
"""Name of a scene, and the folder or ``.sens`` file that its frames lie in."""
Marks = dict[int, FrameRecord]
"""Frames of a scan by :func:`mark_of`."""


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
    """Return the records of each scan once, where others are copies of its files or of some, and ``notes`` with one on each of
    those.

    Copies would stand on both sides of a split. Frames with the same number and pose tell them; files are looked into only where
    more than half of the shorter scan has such ones in the longer, which is kept.
    """
    scans = by_place(records)
    told_apart: dict[Place, Marks] = {}
    holders: dict[int, list[Place]] = {}
    reasons: dict[Place, str] = {}
    stored = functools.cache(functools.partial(stored_digest, root))
    for place in sorted(scans, key=lambda place: -len(scans[place])):
        own = {mark_of(record): record for record in scans[place]}
        likely = Counter(known for mark in own for known in holders.get(mark, ()))
        for known, count in likely.most_common():
            other = told_apart[known]
            if 2 * count > len(own) and same_images(own, other, stored):
                what = (
                    "its poses and images" if len(own) == count == len(other) else f"{count} of its {len(own)} frames"
                )
                reasons[place] = f"a copy of a scan: {what} are those of {known[0]}; taken once"
                break
        if place not in reasons:
            told_apart[place] = own
            for mark in own:
                holders.setdefault(mark, []).append(place)
    kept = [record for place, scan in scans.items() if place not in reasons for record in scan]
    told = [Quarantined(scans[place][0].color, place[0], reasons[place]) for place in scans if place in reasons]
    return kept, notes + told


def mark_of(record: FrameRecord) -> int:
    """Return a hash of number and pose of a frame."""
    return hash((record.frame, record.world_from_camera.tobytes()))


def same_images(one: Marks, other: Marks, stored: Callable[[str, str], bytes | None]) -> bool:
    """Return whether the images of some of the frames that two scans share are the same, by the digests of ``stored``."""
    shared = [mark for mark in one if mark in other]
    for mark in sorted({shared[place] for place in (0, len(shared) // 2, -1)}):
        first, second = (stored(scan[mark].color, scan[mark].depth) for scan in (one, other))
        if first is None or first != second:
            return False
    return True


def stored_digest(root: Path, color: str, depth: str) -> bytes | None:
    """Return a digest of a frame as stored, of large files of begin, end and size; None where one cannot be read."""
    seen = hashlib.sha256()
    try:
        for file, number in dict.fromkeys(map(divided, (color, depth))):
            if number:
                seen.update(open_scan(root / file).stored(int(number)))
                continue
            with open_regular(root / file) as stream:
                size = stream.seek(0, 2)
                seen.update(b"%d" % size)
                for start in (0, max(0, size - LOOKED_AT)):
                    stream.seek(start)
                    seen.update(stream.read(LOOKED_AT))
    except (OSError, BadSample):
        return None
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
