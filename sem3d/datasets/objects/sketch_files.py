"""2.5D sketches and shapes beside the views of an instance in the SRN layout (:mod:`sem3d.datasets.objects.srn_layout`).

::

    <split>/<instance>/depth/000000.png    16 bits: depth along the optical axis x 10000, 0 where there is nothing
                       normal/000000.png   RGB: normals in the camera's frame (OpenCV axes), (n + 1) / 2 x 255
                       photo/000000.png    RGB before a background; optional
                       voxels.npy          bits of the solid shape's grid [x, y, z], ShapeNetCore's frame, longest side 1
                       keypoints.json      places in that frame, and the views that see them

The world of the poses has z up, the front at -y, and the object's longest side is 1.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from sem3d.datasets.objects.srn_layout import read_array
from sem3d.datasets.pictures import read_color_picture, read_value_picture
from sem3d.errors import BadSample
from sem3d.texts import read_sample_text

DEPTH_UNITS = 10_000
DEEPEST = 65535 / DEPTH_UNITS
"""Largest depth that 16 bits hold."""
VOXELS, KEYPOINTS = "voxels.npy", "keypoints.json"
DEPTH, NORMAL, PHOTO = "depth", "normal", "photo"
MOST_KEYPOINTS = 1000
FARTHEST = 2.0
"""Lengths of the longest side from the middle beyond which no keypoint lies."""


@dataclass(frozen=True)
class ShapeKeypoint:
    """A keypoint of a shape."""

    semantic_id: int
    name: str
    xyz: tuple[float, float, float]
    visible: tuple[bool, ...]
    """In each view by its number: within the picture, and behind no face."""


def write_sketch(
    folder: Path,
    number: int,
    depth: Float32[np.ndarray, "side side"],
    normals: Float32[np.ndarray, "side side 3"],
) -> None:
    """Write depth and normals of view ``number`` of the instance in ``folder``."""
    write_depth(folder, number, depth)
    save_view(folder / NORMAL, number, Image.fromarray(np.rint((normals + 1) * 127.5).astype(np.uint8), "RGB"))


def write_depth(folder: Path, number: int, depth: Float32[np.ndarray, "height width"]) -> None:
    """Write depth of view ``number`` alone."""
    values = np.rint(depth * DEPTH_UNITS).clip(0, 65535).astype(np.uint16)
    save_view(folder / DEPTH, number, Image.fromarray(values))


def write_photo(folder: Path, number: int, picture: UInt8[np.ndarray, "side side 3"]) -> None:
    """Write view ``number`` before its background."""
    save_view(folder / PHOTO, number, Image.fromarray(picture, "RGB"))


def save_view(folder: Path, number: int, picture: Image.Image) -> None:
    """Write a picture of view ``number``."""
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{number:06d}.png", compress_level=4)


def write_shape(folder: Path, voxels: Bool[np.ndarray, "x y z"], keypoints: list[ShapeKeypoint]) -> None:
    """Write the grid, whose side must be even, and the keypoints of the instance in ``folder``."""
    np.save(folder / VOXELS, np.packbits(voxels), allow_pickle=False)
    (folder / KEYPOINTS).write_text(json.dumps({"keypoints": [vars(one) for one in keypoints]}) + "\n")


def read_depth(path: Path) -> Float32[np.ndarray, "height width"]:
    """Return depth along the optical axis, 0 where there is nothing; raises :class:`BadSample`."""
    return read_value_picture(path, str(path), "I;16").astype(np.float32) / DEPTH_UNITS


def read_normals(path: Path) -> Float32[np.ndarray, "height width 3"]:
    """Return unit normals in the camera's frame, of any direction where there is nothing; raises :class:`BadSample`."""
    normals = read_color_picture(path, str(path), upright=False).astype(np.float32) / 127.5 - 1
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)


def read_voxels(path: Path) -> Bool[np.ndarray, "x y z"]:
    """Return the grid of a shape; raises :class:`BadSample` for bits that make no cube, or an empty one."""
    packed = read_array(path)
    side = round((8 * packed.size) ** (1 / 3))
    if packed.dtype != np.uint8 or packed.ndim != 1 or side**3 != 8 * packed.size:
        raise BadSample(str(path), f"no grid of voxels: {packed.size} numbers of {packed.dtype} are no cube of bits")
    voxels = np.unpackbits(packed).astype(bool).reshape(side, side, side)
    if not voxels.any():
        raise BadSample(str(path), "an empty shape: no voxel is full")
    return voxels


def read_shape_keypoints(path: Path, view: int) -> list[ShapeKeypoint]:
    """Return the keypoints of a shape that has a view of that number; raises :class:`BadSample` for anything else."""
    try:
        content = json.loads(read_sample_text(path))
        listed = content["keypoints"]
        if not isinstance(listed, list) or len(listed) > MOST_KEYPOINTS:
            raise TypeError("no list of keypoints")
        return [keypoint_of(one, view) for one in listed]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise BadSample(str(path), f"no keypoints of view {view}: {' '.join(str(error).split())[:100]}") from error


def keypoint_of(record: dict[str, Any], view: int) -> ShapeKeypoint:
    """Return a keypoint of its record; raises TypeError, LookupError or ValueError for anything else."""
    number, name, visible = record["semantic_id"], record["name"], record["visible"]
    x, y, z = (float(value) for value in record["xyz"])
    if type(number) is not int or number < 0 or not isinstance(name, str) or not all(map(near, (x, y, z))):
        raise ValueError("a keypoint without a number, a name or a place")
    if not isinstance(visible, list) or len(visible) <= view or not all(type(one) is bool for one in visible):
        raise ValueError(f"visible of {name[:40]!r} does not say it of view {view}")
    return ShapeKeypoint(number, name, (x, y, z), tuple(visible))


def near(value: float) -> bool:
    """Tell whether a coordinate may be one of a keypoint."""
    return abs(value) <= FARTHEST


def coarser(voxels: Bool[np.ndarray, "x y z"], side: int, source: str) -> Bool[np.ndarray, "{side} {side} {side}"]:
    """Return a grid at a smaller side that divides its own: full where any of its voxels is (Pix3D, a max-pool).

    Raises :class:`BadSample` for another side.
    """
    times, rest = divmod(len(voxels), side)
    if rest or not times:
        raise BadSample(source, f"a grid of {len(voxels)} voxels a side cannot be made one of {side}")
    return np.any(voxels.reshape(side, times, side, times, side, times), axis=(1, 3, 5))
