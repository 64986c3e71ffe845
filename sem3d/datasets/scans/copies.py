"""Scans that are met under several names, by links or as copies, and several scans that are met under one."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import divided, open_scan
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.left_out import stored_file
from sem3d.datasets.scans.numbered import numbered
from sem3d.errors import BadSample
from sem3d.files import open_regular
from sem3d.folders import file_identity

LOOKED_AT = 1 << 20
"""Bytes at the begin and at the end of a file that tell copies."""

COMPARED = 5
"""Frames of a scan that are looked for among those that a stride left out of another."""
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
    cameras: dict[Hashable, list[Place]] = {}
    holders: dict[int, list[Place]] = {}
    reasons: dict[Place, str] = {}
    stored = functools.cache(functools.partial(stored_digest, root))
    beside = functools.partial(stored_file, root, listed=functools.cache(numbered))
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
        alike = cameras.setdefault(camera_of(scans[place][0]), [])
        if place not in reasons and (known := among_left_out(root, scans, place, alike, beside, stored)):
            reasons[place] = f"a copy of a scan: its frames are among those of {known[0]} that the stride left out"
        if place not in reasons:
            alike.append(place)
            told_apart[place] = own
            for mark in own:
                holders.setdefault(mark, []).append(place)
    kept = [record for place, scan in scans.items() if place not in reasons for record in scan]
    told = [Quarantined(scans[place][0].color, place[0], reasons[place]) for place in scans if place in reasons]
    return kept, notes + told


def camera_of(record: FrameRecord) -> Hashable:
    """Return what all frames of a scan, and of its copies, share."""
    return record.intrinsics_color.tobytes(), record.intrinsics_depth.tobytes(), record.color_size, record.depth_size


def among_left_out(
    root: Path,
    scans: Mapping[Place, Sequence[FrameRecord]],
    place: Place,
    others: Sequence[Place],
    beside: Callable[[FrameRecord, str, int], Path | None],
    stored: Callable[[str, str], bytes | None],
) -> Place | None:
    """Return the one of ``others`` of which the scan at ``place`` is a copy that begins with another frame, None if of none.

    A stride then takes other frames of each, so the images of some are compared with those that it left out of the other.
    """
    own = scans[place]
    if divided(own[0].color)[1]:
        return None
    sample = [own[place] for place in sorted({len(own) * part // COMPARED for part in range(COMPARED)})]
    for other in others:
        if all(record.frame != own[0].frame for record in scans[other]):
            same = (same_as_left_out(root, record, scans[other][0], beside, stored) for record in sample)
            if mostly_true(same, len(sample)):
                return other
    return None


def mostly_true(answers: Iterator[bool | None], count: int) -> bool:
    """Return whether more than half of the answers are true and none is false; asks for no more of them than it takes."""
    found, unknown = 0, 0
    for answer in answers:
        found, unknown = found + (answer is True), unknown + (answer is None)
        if answer is False or 2 * unknown >= count:
            return False
    return 2 * found > count


def same_as_left_out(
    root: Path,
    record: FrameRecord,
    of_other: FrameRecord,
    beside: Callable[[FrameRecord, str, int], Path | None],
    stored: Callable[[str, str], bytes | None],
) -> bool | None:
    """Return whether the frame of the same number as ``record``, of another scan, has its images; None where there is no such
    frame.
    """
    try:
        found = [beside(of_other, kind, record.frame) for kind in ("color", "depth")]
    except BadSample:
        return None
    color, depth = (path.relative_to(root).as_posix() if path else "" for path in found)
    if not color or not depth:
        return None
    return stored(record.color, record.depth) == stored(color, depth) is not None


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
