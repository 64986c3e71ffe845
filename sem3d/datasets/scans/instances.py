"""Objects of a scene as ScanNet annotates them: the segment of each vertex of its mesh, and the segments of each object.

``<scene>_vh_clean_2.0.010000.segs.json`` has ``segIndices``, one number a vertex; ``<scene>.aggregation.json`` has ``segGroups``,
each with ``segments`` (ScanNet/ScanNet, README). An object is of the class that most of its points are labelled with, and its box
is the smallest axis-aligned one around its points, as in VoteNet's ``scannet/load_scannet_data.py``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int, UInt8, UInt16

from sem3d.datasets.scans.frames import locate
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.datasets.scans.numbered import first_there
from sem3d.errors import BadSample
from sem3d.texts import read_sample_text

FIRST_OBJECT = 3
"""First train id of what has a box: all but wall and floor."""
OBJECT_NAMES = CLASS_NAMES[FIRST_OBJECT:]
"""The 18 classes of ScanNet's detection; VoteNet calls the last one, NYU40's otherfurniture, garbagebin."""
NUMBERS = 1000
"""Codes of objects are train id * 1000 + number, from 1, as in ScanNet's instance images."""
Codes = UInt16[np.ndarray, " point"]


@dataclass(frozen=True)
class InstanceFiles:
    """Locators of a scene's segments, of their groups and of its alignment to the walls, "" where there is no such file."""

    segments: str
    groups: str
    alignment: str = ""
    """``<scene>.txt``; not needed."""

    def __bool__(self) -> bool:
        """Return whether segments and groups are there."""
        return bool(self.segments and self.groups)


def find_instance_files(root: Path, labelled_mesh: str) -> InstanceFiles:
    """Return the files beside the labelled copy of a scene's mesh."""
    if not labelled_mesh:
        return InstanceFiles("", "")
    folder = locate(root, labelled_mesh).parent
    stem = folder.name
    return InstanceFiles(
        first_there(root, [folder / f"{stem}_vh_clean_2.0.010000.segs.json"]),
        first_there(root, [folder / f"{stem}.aggregation.json"]),
        first_there(root, [folder / f"{stem}.txt"]),
    )


def read_objects(root: Path, files: InstanceFiles, labels: UInt8[np.ndarray, " point"]) -> Codes:
    """Return the code of the object that each point of a scene's surface belongs to, 0 where to none of the 18 classes.

    Where groups share a segment the later one has it. Raises :class:`BadSample` for files of another mesh or without meaning.
    """
    segments = whole_numbers(read_field(root, files.segments, "segIndices"), files.segments, "segIndices")
    if len(segments) != len(labels):
        numbers = f"{len(segments)} of them, {len(labels)} points of the scene's surface"
        raise BadSample(files.segments, f"segments of another mesh: {numbers}")
    known, of_point = np.unique(segments, return_inverse=True)
    group_of = np.zeros(len(known), np.int64)
    groups = read_field(root, files.groups, "segGroups")
    if not isinstance(groups, list):
        raise BadSample(files.groups, "segGroups is no list")
    for number, group in enumerate(groups, start=1):
        own = group.get("segments") if isinstance(group, dict) else None
        named = whole_numbers(own, files.groups, f"segments of group {number}")
        places = np.searchsorted(known, named).clip(max=len(known) - 1)
        if len(strange := named[known[places] != named]):
            raise BadSample(files.groups, f"segments that no point has: {len(strange)} of group {number}, {strange[0]}")
        group_of[places] = number
    try:
        return object_codes(group_of[of_point], labels)
    except ValueError as error:
        raise BadSample(files.groups, str(error)) from error


def read_field(root: Path, locator: str, name: str) -> Any:
    """Return a field of a JSON file; raises :class:`BadSample` where there is none."""
    try:
        content = json.loads(read_sample_text(locate(root, locator)))
    except (ValueError, RecursionError) as error:
        raise BadSample(locator, f"no JSON: {error}") from error
    if not isinstance(content, dict) or name not in content:
        raise BadSample(locator, f"no field {name}: take ScanNet's file as it is")
    return content[name]


def whole_numbers(values: Any, locator: str, what: str) -> Int[np.ndarray, " number"]:
    """Return a JSON list of whole numbers as an array; raises :class:`BadSample` for anything else."""
    if not isinstance(values, list) or any(type(value) is not int or abs(value) >= 2**62 for value in values):
        raise BadSample(locator, f"no list of whole numbers: {what}")
    return np.array(values, np.int64)


def object_codes(groups: Int[np.ndarray, " point"], labels: UInt8[np.ndarray, " point"]) -> Codes:
    """Return codes of objects of points that are grouped by number, 0 for none; raises :class:`ValueError` for too many."""
    classes = len(CLASS_NAMES)
    cells = np.bincount(groups * classes + labels, minlength=classes * (int(groups.max(initial=0)) + 1))
    named = cells.reshape(-1, classes).argmax(axis=1)
    named[0] = 0
    codes = np.zeros(len(named), np.uint16)
    for train_id in range(FIRST_OBJECT, classes):
        own = np.flatnonzero(named == train_id)
        if len(own) >= NUMBERS:
            raise ValueError(
                f"{len(own)} objects of class {CLASS_NAMES[train_id]}, at most {NUMBERS - 1} can be told apart"
            )
        codes[own] = train_id * NUMBERS + 1 + np.arange(len(own))
    return codes[groups]


def object_boxes(
    points: Float[np.ndarray, "point 3"], codes: Codes
) -> tuple[UInt16[np.ndarray, " object"], Float64[np.ndarray, "object 7"]]:
    """Return the codes of the objects among points, ascending, and the boxes around those; an object without volume has none."""
    order = np.argsort(codes, kind="stable")
    found, start = np.unique(codes[order], return_index=True)
    if not len(found):
        return found, np.zeros((0, 7))
    ordered = points[order].astype(np.float64)
    low, high = np.minimum.reduceat(ordered, start), np.maximum.reduceat(ordered, start)
    kept = (found > 0) & (high > low).all(axis=1)
    boxes = np.column_stack([(low + high) / 2, high - low, np.zeros(len(found))])
    return found[kept], boxes[kept]


def with_volume(points: Float[np.ndarray, "point 3"], codes: Codes) -> tuple[Codes, int, int]:
    """Return the codes with 0 for objects whose points span no volume, how many these are, and how many objects there are."""
    total = len(np.unique(codes[codes > 0]))
    found, _ = object_boxes(points, codes)
    return np.where(np.isin(codes, found), codes, 0).astype(np.uint16), total - len(found), total
