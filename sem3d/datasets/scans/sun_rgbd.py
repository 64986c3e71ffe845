"""SUN RGB-D (Song et al., CVPR 2015) as VoteNet's ``sunrgbd_data.py`` extracts it: a file of points and one of boxes a frame.

``sunrgbd_pc_bbox_votes_50k_v1_{train,val}/<number>_pc.npz`` has the array ``pc`` (point 6): metres, z up, and colours from 0 to
1; ``<number>_bbox.npy`` (box 8) has centre, half lengths, heading clockwise seen from above, and number of the class. The files
of votes beside them are not read: which boxes hold a point is found anew, after the scene has been moved.
"""

import io
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from sem3d.datasets.objects.npz_stream import DAMAGE, read_header
from sem3d.datasets.pictures import colors_fault
from sem3d.datasets.scans.box_classes import SUN_RGBD
from sem3d.datasets.scans.frames import locate
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries
from sem3d.geometry.boxes import BOX, inside
from sem3d.texts import read_regular

FOLDER = re.compile(r"sunrgbd_pc_bbox_votes_\w+_(?P<split>train|val)", re.IGNORECASE)
POINTS, BOXES = "_pc.npz", "_bbox.npy"
LARGEST_FILE = 64 << 20
"""Bytes, packed, and unpacked as numbers of 64 bits; VoteNet writes 2.4 MB."""
MOST_BOXES = 1000
"""In a frame; VoteNet's are 64 at most."""
FARTHEST = 1000.0
"""Metres; a point beyond is none of a room."""
TOLERANCE = 1e-3
"""Of colours, from rounding."""


@dataclass(frozen=True)
class AnnotatedFrame:
    """Points of one frame and its boxes, each with the number of its class behind the seven of :mod:`sem3d.geometry.boxes`."""

    points: Float32[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]
    boxes: Float32[np.ndarray, "box 8"]
    flat: int
    """Boxes without volume, which are left out."""
    empty: int
    """Boxes that hold no point, which stay: they are objects all the same."""


def frames_of(root: Path) -> Iterator[tuple[str, str]]:
    """Yield split and locator, without the ending, of each frame that has points or boxes, sorted.

    Raises :class:`UserError` for two folders of one split, and :class:`BadSample` for an unreadable one.
    """
    folders: dict[str, Path] = {}
    for folder in entries(root):
        match = FOLDER.fullmatch(folder.name)
        if match and folder.is_dir():
            first = folders.setdefault(match["split"].lower(), folder)
            if first is not folder:
                raise UserError(f"{root} has two folders of one split, {first.name} and {folder.name}: move one away")
    for split, folder in sorted(folders.items()):
        names = (path.name.removesuffix(POINTS).removesuffix(BOXES) for path in entries(folder) if is_of_frame(path))
        for stem in sorted(set(names)):
            yield split, f"{folder.name}/{stem}"


def is_of_frame(path: Path) -> bool:
    """Return whether a file holds points or boxes of a frame."""
    return path.name.endswith((POINTS, BOXES))


def read_frame(root: Path, locator: str) -> AnnotatedFrame:
    """Return one frame; raises :class:`BadSample` where a file is damaged or holds anything else."""
    path = locate(root, f"{locator}{POINTS}")
    points = array_in(read_regular(path, LARGEST_FILE), path, 6, "pc")
    if not len(points):
        raise BadSample(str(path), "no points")
    if outside := int((abs(points[:, :3]) > FARTHEST).any(axis=1).sum()):
        raise BadSample(str(path), f"points outside: {outside} lie more than {FARTHEST:.0f} m from the origin")
    colors = points[:, 3:]
    if ((colors < -TOLERANCE) | (colors > 1 + TOLERANCE)).any():
        raise BadSample(str(path), f"colours outside 0 to 1: they reach from {colors.min():g} to {colors.max():g}")
    whole = np.rint(255 * colors.clip(0, 1)).astype(np.uint8)
    if fault := colors_fault(whole):
        raise BadSample(str(path), fault)
    path = locate(root, f"{locator}{BOXES}")
    boxes, flat = read_boxes(path)
    empty = sum(not inside(points[:, :3], box[:BOX]).any() for box in boxes)
    if len(boxes) and empty == len(boxes):
        raise BadSample(str(path), f"boxes of another frame: none of {empty} holds a point")
    return AnnotatedFrame(points[:, :3].astype(np.float32), whole, boxes.astype(np.float32), flat, empty)


def read_boxes(path: Path) -> tuple[Float64[np.ndarray, "box 8"], int]:
    """Return the boxes of a frame that have a volume, and how many have none; raises :class:`BadSample` for anything else."""
    boxes = array_in(read_regular(path, LARGEST_FILE), path, 8)
    if len(boxes) > MOST_BOXES:
        raise BadSample(str(path), f"too many boxes: {len(boxes)}, at most {MOST_BOXES} are of one frame")
    known = np.isin(boxes[:, 7], np.arange(len(SUN_RGBD.names)))
    if not known.all():
        raise BadSample(
            str(path), f"numbers of no class: {boxes[~known, 7][0]:g}, there are 0 to {len(SUN_RGBD.names) - 1}"
        )
    if (abs(boxes[:, :6]) > FARTHEST).any():
        raise BadSample(str(path), f"boxes outside: a number is more than {FARTHEST:.0f} m")
    turned = abs(boxes[:, 6])
    if (turned > 2 * math.pi).any():
        raise BadSample(str(path), f"headings outside a turn: they are radians, and one is {turned.max():g}")
    solid = (boxes[:, 3:6] > 0).all(axis=1)
    boxes = boxes[solid] * np.array([1, 1, 1, 2, 2, 2, -1, 1])
    return boxes, int((~solid).sum())


def array_in(content: bytes, path: Path, columns: int, name: str = "") -> Float64[np.ndarray, "row column"]:
    """Return the array of a .npy, or the named one of a .npz; nothing is unpacked that its header has not announced.

    Raises :class:`BadSample` unless it has so many finite numbers in each row.
    """
    try:
        with opened_array(content, path, name) as stream:
            shape, kind = read_header(cast(io.BufferedIOBase, stream), path)
            check_kind(shape, kind, path, columns)
            length = math.prod(shape) * kind.itemsize
            values = stream.read(length + 1)
    except KeyError as error:
        raise BadSample(str(path), f"no array {name}: take the file as VoteNet's sunrgbd_data.py writes it") from error
    except (*DAMAGE, UserError) as error:
        raise BadSample(str(path), f"damaged array: {' '.join(str(error).split())}") from error
    if len(values) != length:
        held = f"{len(values)} bytes{' or more' * (len(values) > length)}"
        raise BadSample(str(path), f"damaged array: {held}, not {shape} of {kind}")
    rows = np.frombuffer(values, kind).reshape(shape).astype(np.float64)
    if not np.isfinite(rows).all():
        raise BadSample(str(path), f"numbers that are not finite: {int((~np.isfinite(rows)).sum())}")
    return rows


@contextmanager
def opened_array(content: bytes, path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a .npy, or the named one of a .npz, so that it is unpacked by as much as is read."""
    if not name:
        yield io.BytesIO(content)
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack whole blocks
            raise BadSample(str(path), "packed in a way that numpy does not: write it with numpy.savez_compressed")
        with archive.open(member) as stream:
            yield stream


def check_kind(shape: tuple[int, ...], kind: np.dtype, path: Path, columns: int) -> None:
    """Raise :class:`BadSample` unless an array is one of rows of so many numbers, and of a frame's size."""
    if kind.kind not in "fiu":
        raise BadSample(str(path), f"no numbers: its array is of {kind}")
    if len(shape) != 2 or shape[1] != columns:
        raise BadSample(str(path), f"wrong shape: {shape}, not (rows, {columns})")
    if math.prod(shape) * max(kind.itemsize, 8) > LARGEST_FILE:
        raise BadSample(
            str(path), f"too large: {shape[0]} rows of {columns} numbers, at most {LARGEST_FILE} bytes are read"
        )
