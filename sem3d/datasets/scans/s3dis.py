"""S3DIS (Armeni et al., CVPR 2016) as it is released: points of each object of each room as text.

``Area_<n>/<room>/Annotations/<class>_<m>.txt`` has one point a line, ``x y z r g b``: metres, z up, and colours from 0 to 255. A
room is one scene; its points are those of all its objects. Area 5 is held out, as usual. What is of none of the 13 classes, such
as stairs, is clutter, as in PointNet's ``indoor3d_util.py``.

The release has a line that is no point, in ``Area_5/hallway_6/Annotations/ceiling_1.txt``: a control character stands in a
colour. Such lines are left out and named by their number; a room with more than a few is refused.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.frames import locate
from sem3d.errors import BadSample
from sem3d.folders import entries, is_hidden
from sem3d.texts import plain_lines, read_regular

AREA = re.compile(r"Area_(?P<number>[0-9]{1,2})", re.IGNORECASE)
HELD_OUT_AREA = 5
OBJECT_FILE = re.compile(r"(?P<name>[a-z]+)_[0-9]+\.txt", re.IGNORECASE)
ANNOTATIONS = "Annotations"
CLUTTER = S3DIS_NAMES.index("clutter")
LARGEST_FILE = 512 << 20
"""Bytes of an object, about ten million points; numbers in memory are as many again."""
MOST_UNREADABLE = 10
"""Lines of a room that may be left out."""
LEAST, MOST = (-1e5, -1e5, -1e5, 0, 0, 0), (1e5, 1e5, 1e5, 255, 255, 255)
"""Numbers of a point: metres, of which one beyond is no coordinate, and a colour."""


@dataclass(frozen=True)
class AnnotatedRoom:
    """Points of a room, train ids of the 13 classes, and remarks on what was left out."""

    points: Float64[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]
    labels: UInt8[np.ndarray, " point"]
    notes: list[Quarantined]


def room_folders(root: Path) -> Iterator[tuple[int, Path]]:
    """Yield area and folder of each room, sorted, whether it has annotations or not; raises :class:`BadSample` for an unreadable
    folder.
    """
    for area in entries(root):
        match = AREA.fullmatch(area.name)
        for room in entries(area) if match and area.is_dir() else ():
            if match and room.is_dir():
                yield int(match["number"]), room


def has_annotations(room: Path) -> bool:
    """Return whether a room has the folder of its objects."""
    return (room / ANNOTATIONS).is_dir()


def room_name(root: Path, room: Path) -> str:
    """Return the name of a room as a scene: ``Area_1-office_3``."""
    return "-".join(room.relative_to(root).parts)


def object_files(folder: Path) -> list[Path]:
    """Return the text files of a room's objects; raises :class:`BadSample` where its folder cannot be read."""
    return [path for path in entries(folder) if path.suffix.lower() == ".txt" and not is_hidden(path.name)]


def read_room(root: Path, folder: str, scene: str) -> AnnotatedRoom:
    """Return the points of the room whose annotations lie in ``folder``, a locator; raises :class:`BadSample` without any, or
    with more than a few lines that are no points.
    """
    arrays, labels, notes = [], [], []
    unreadable = 0
    for path in object_files(locate(root, folder)):
        locator = f"{folder}/{path.name}"
        match = OBJECT_FILE.fullmatch(path.name)
        if match is None:
            notes.append(Quarantined(locator, scene, "no object: its name is not <class>_<number>.txt; it is left out"))
            continue
        rows, bad = read_lines(path)
        unreadable += len(bad)
        if unreadable > MOST_UNREADABLE:
            raise BadSample(
                locator, f"lines that are no points: more than {MOST_UNREADABLE} in this room; line {first_of(bad)}"
            )
        if bad:
            notes.append(Quarantined(locator, scene, f"lines left out: {len(bad)} are no points; line {first_of(bad)}"))
        if not len(rows):
            notes.append(Quarantined(locator, scene, "without points: its object is left out"))
        name = match["name"].lower()
        arrays.append(rows)
        labels.append(np.full(len(rows), S3DIS_NAMES.index(name) if name in S3DIS_NAMES[1:] else CLUTTER, np.uint8))
    if not sum(map(len, arrays)):
        raise BadSample(folder, "no points: none of its files is an object with points")
    whole = np.concatenate(arrays)
    colors = np.rint(whole[:, 3:]).astype(np.uint8)
    return AnnotatedRoom(whole[:, :3], colors, np.concatenate(labels), notes)


def first_of(bad: dict[int, str]) -> str:
    """Return number and text of the first unreadable line."""
    number, text = next(iter(bad.items()))
    return f"{number} is {text!r}"


def read_lines(path: Path) -> tuple[Float64[np.ndarray, "point 6"], dict[int, str]]:
    """Return the numbers of each line that is a point, and the others by their number, from 1; no points where more lines than a
    room may have are none, of which the first are returned. Raises :class:`BadSample` for a file that is no text.
    """
    content = plain_lines(read_regular(path, LARGEST_FILE), str(path))
    rows = points_in(content)
    if rows is not None:
        return rows, {}
    bad, rest = without_bad_lines(content)
    if len(bad) > MOST_UNREADABLE:
        return np.zeros((0, 6)), bad
    rows = points_in(rest)
    if rows is None:
        raise BadSample(str(path), "unreadable text: write a point a line, x y z r g b")
    return rows, bad


def points_in(content: bytes) -> Float64[np.ndarray, "point 6"] | None:
    """Return the numbers of a text whose lines are points, all of them; None where one is not."""
    if not content or content.isspace():
        return np.zeros((0, 6))
    try:
        rows = np.loadtxt(io.BytesIO(content), np.float64, comments=None, ndmin=2, encoding="ascii")
    except ValueError:
        return None
    return rows if rows.shape[1] == 6 and is_point(rows).all() else None


def without_bad_lines(content: bytes) -> tuple[dict[int, str], bytes]:
    """Return lines that are no points by their number, and the text without them; stops at one more than a room may have.

    Looks at each line by itself, which takes long.
    """
    bad: dict[int, str] = {}
    kept, start, end = [], 0, 0
    for number, line in enumerate(io.BytesIO(content), start=1):
        end += len(line)
        if not is_line_of_point(line):
            bad[number] = line[:60].decode("latin-1").strip()
            kept.append(content[start : end - len(line)])
            start = end
            if len(bad) > MOST_UNREADABLE:
                break
    return bad, b"".join([*kept, content[start:]])


def is_line_of_point(line: bytes) -> bool:
    """Return whether a line is a point, or empty."""
    words = line.split()
    try:
        row = [float(word) for word in words] if b"_" not in line else []
    except ValueError:
        return False
    if len(row) != 6:
        return not words
    return all(least <= value <= most for least, value, most in zip(LEAST, row, MOST, strict=True))


def is_point(rows: Float64[np.ndarray, "row 6"]) -> Bool[np.ndarray, " row"]:
    """Return which rows are a place in metres and a colour."""
    with np.errstate(invalid="ignore"):
        return np.logical_and((rows >= LEAST).all(axis=1), (rows <= MOST).all(axis=1))
