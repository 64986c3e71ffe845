"""One frame of an index as arrays: colour, depth in metres, NYU40 labels, instances; and their resizing.

A locator (see :mod:`sem3d.datasets.scans.schema`) is a path relative to the data root, or ``<file>.sens#<n>``. A 16-bit label
image of ScanNet's category ids has the locator ``<image>#<label table>``. Everything unusable raises :class:`BadSample`.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt8, UInt16
from PIL import Image

from sem3d.datasets.pictures import colors_fault, read_color_picture, read_value_picture
from sem3d.datasets.scans.labels import LABEL_TABLE, LARGEST_NYU40, label_fault, nyu40_of_categories, read_label_table
from sem3d.datasets.scans.sens import SensFile
from sem3d.errors import BadSample, UserError

ASPECT_TOLERANCE = 0.02
OPEN_SCANS = 8
LOCATOR = re.compile(rf"(?P<file>.+)#(?P<inside>[0-9]{{1,18}}|{re.escape(LABEL_TABLE)})", re.DOTALL)


def divided(locator: str) -> tuple[str, str]:
    """Return the file that a locator names and what it names besides: the frame of a scan, the label table of an image, or "".

    Folders and files may have a # in their own names.
    """
    match = LOCATOR.fullmatch(locator)
    if match and (match["inside"] == LABEL_TABLE or match["file"].lower().endswith(".sens")):
        return match["file"], match["inside"]
    return locator, ""


def locate(root: str | Path, locator: str) -> Path:
    """Return path of the file that ``locator`` names; raises :class:`BadSample` if it would lead out of ``root``."""
    relative = PurePosixPath(divided(locator)[0])
    if not locator or "\0" in locator or relative.is_absolute() or ".." in re.split(r"[/\\]", str(relative)):
        raise BadSample(locator, "path escapes the data root")
    return Path(root) / relative


def read_color(root: str | Path, row: Mapping[str, Any]) -> UInt8[np.ndarray, "height width 3"]:
    """Return RGB image of a frame at the size of its row; one that is black, or of fractions, is unusable."""
    path, locator = locate(root, row["color"]), row["color"]
    if number := divided(locator)[1]:
        color = open_scan(path).color(scan_frame(locator, number, path))
    else:
        color = read_color_picture(path, locator)
    if fault := colors_fault(color):
        raise BadSample(locator, fault)
    return check_size(color, locator, (row["color_height"], row["color_width"]))


def read_depth(root: str | Path, row: Mapping[str, Any]) -> Float32[np.ndarray, "height width"]:
    """Return depth along the optical axis in metres at the size of its row, 0 where there is none (raw 0 and 65535)."""
    path, locator = locate(root, row["depth"]), row["depth"]
    if number := divided(locator)[1]:
        raw = open_scan(path).depth(scan_frame(locator, number, path))
    else:
        raw = read_value_picture(path, locator, "I;16")
    check_size(raw, locator, (row["depth_height"], row["depth_width"]))
    return np.where(raw == 65535, np.float32(0), raw / np.float32(row["depth_scale"]))


def read_label(
    root: str | Path, row: Mapping[str, Any], largest: int = LARGEST_NYU40
) -> UInt8[np.ndarray, "height width"]:
    """Return ids of a frame, 0 where unlabelled, at the size of the image file (any size of the colour image's shape).

    They are NYU40's, or those of a label set of the user's, which may be as large as ``largest``; a 16-bit image of ScanNet's
    categories gives NYU40's. Raises :class:`BadSample` on ids above, and outside the table of categories.
    """
    path, locator = locate(root, row["label"]), row["label"]
    if table := divided(locator)[1]:
        label = nyu40_of_categories(read_value_picture(path, locator, "I;16"), label_table(str(locate(root, table))))
        largest = LARGEST_NYU40
    else:
        label = read_value_picture(path, locator, "L")
    check_aspect(label, locator, row)
    if fault := label_fault(label, largest=largest):
        raise BadSample(locator, fault)
    return label


def read_instance(root: str | Path, row: Mapping[str, Any]) -> UInt16[np.ndarray, "height width"]:
    """Return instances of a frame as label * 1000 + number; an 8-bit ``instance-filt`` image, which has numbers only, gets
    its labels from the frame's label image.
    """
    path, locator = locate(root, row["instance"]), row["instance"]
    instance = read_value_picture(path, locator, "I;16", "L")
    check_aspect(instance, locator, row)
    if instance.dtype == np.uint16:
        return instance
    label = resize_label(read_label(root, row), instance.shape)
    return np.where(instance > 0, label.astype(np.uint16) * 1000 + instance, 0).astype(np.uint16)


def resize_label(
    label: Shaped[np.ndarray, "height width"], size: tuple[int, int]
) -> Shaped[np.ndarray, "new_height new_width"]:
    """Return labels at (height, width) ``size``: the value of the pixel that holds each new pixel's centre, never a mixture."""
    return nearest(label, size)


def resize_color(
    image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """Return image at (height, width) ``size``, bilinear between pixel centres, averaged over what a new pixel covers.

    The released code of Pri3D takes the nearest pixel of colour too.
    """
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def nearest(
    image: Shaped[np.ndarray, "height width"], size: tuple[int, int]
) -> Shaped[np.ndarray, "new_height new_width"]:
    """Return nearest pixel: new index i lies at (i + 0.5) * old / new - 0.5, which belongs to old pixel floor((i + 0.5) *
    old / new).
    """
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(image.shape, size, strict=True))
    return image[rows[:, None], columns]


def check_size(image: Shaped[np.ndarray, "..."], locator: str, size: tuple[int, int]) -> Shaped[np.ndarray, "..."]:
    """Return ``image``, or :class:`BadSample` if it is not of (height, width) ``size``."""
    if image.shape[:2] != size:
        (height, width), (row_height, row_width) = image.shape[:2], size
        raise BadSample(locator, f"size differs from the index: {width}x{height}, not {row_width}x{row_height}")
    return image


def check_aspect(image: Shaped[np.ndarray, "height width"], locator: str, row: Mapping[str, Any]) -> None:
    """Raise :class:`BadSample` if ``image`` cannot cover the same view as the colour image of ``row``."""
    aspect, expected = image.shape[1] / image.shape[0], row["color_width"] / row["color_height"]
    if abs(aspect / expected - 1) > ASPECT_TOLERANCE:
        raise BadSample(locator, f"shape differs from the colour image: {image.shape[1]}x{image.shape[0]}")


def scan_frame(locator: str, number: str, path: Path) -> int:
    """Return the number of a frame that a ``.sens`` locator names, checked against the file."""
    if not number.isdecimal() or int(number) >= len(open_scan(path)):
        raise BadSample(locator, f"no such frame: the file holds {len(open_scan(path))}")
    return int(number)


def open_scan(path: Path) -> SensFile:
    """Return the scan at ``path``, from the few that this process keeps open; a file that changed is opened anew."""
    try:
        state = path.stat()
    except OSError as error:
        raise BadSample(str(path), "missing file") from error
    return opened_scan(str(path), state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=OPEN_SCANS)
def opened_scan(path: str, modified: int, size: int) -> SensFile:  # noqa: ARG001 -- keys of the cache
    """Return one cached :class:`SensFile`; ``modified`` and ``size`` tell versions of the file apart."""
    return SensFile(path)


@functools.lru_cache(maxsize=4)
def label_table(path: str) -> UInt8[np.ndarray, "category"]:
    """Return the label table at ``path``, kept; a table that cannot be used is one more reason for a sample to be unusable."""
    try:
        return read_label_table(path)
    except UserError as error:
        raise BadSample(path, str(error)) from error
