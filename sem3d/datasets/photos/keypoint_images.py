"""Photographs with marked keypoints, and pairs of them: what every data set of this kind comes down to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float64

from sem3d.datasets.pictures import picture_header
from sem3d.errors import BadSample

MOST_KEYPOINTS = 1000
FARTHEST = 1e5
"""Pixels from the origin at which no keypoint of a photograph lies."""
LONGEST_PATH = 200
"""Bytes."""
BoxOf = Literal["object", "keypoints"]


@dataclass(frozen=True)
class KeypointImage:
    """One photograph of an object and the places of its keypoints."""

    path: str
    """Of the photograph, relative to the folder of the data."""
    size: tuple[int, int]
    """Height and width."""
    keypoints: Mapping[str, tuple[float, float]]
    """(u, v) in pixels by the keypoint's name in its data set; those that nobody could mark are left out."""
    box: tuple[float, float, float, float]
    """Least u and v, largest u and v."""
    box_of: BoxOf
    """The object, or the keypoints alone where the data set has no box."""


@dataclass(frozen=True)
class KeypointPair:
    """Two photographs of objects of one class: keypoints of the source are looked for in the target."""

    source: KeypointImage
    target: KeypointImage
    group: str
    """The class, or the group of photographs."""
    names: tuple[str, ...]
    """Keypoints that both have, in order."""

    def places(self, image: KeypointImage) -> Float64[np.ndarray, "keypoint 2"]:
        """Return the common keypoints of one of the two."""
        return np.array([image.keypoints[name] for name in self.names], np.float64).reshape(-1, 2)


def pair_of(source: KeypointImage, target: KeypointImage, group: str, where: str) -> KeypointPair:
    """Return a pair with the keypoints that both have; raises :class:`BadSample` in the name of ``where`` for none."""
    names = tuple(name for name in source.keypoints if name in target.keypoints)
    if not names:
        raise BadSample(where, "no common keypoint: the two photographs have none that both show")
    return KeypointPair(source, target, group, names)


def box_around(
    keypoints: Mapping[str, tuple[float, float]], where: str, box: tuple[float, ...] | None = None
) -> tuple[float, float, float, float]:
    """Return ``box``, else the box around the keypoints; raises :class:`BadSample` for one without width and height."""
    if box is None:
        places = np.array(list(keypoints.values()), np.float64).reshape(-1, 2)
        if not len(places):
            raise BadSample(where, "no keypoints")
        box = (*map(float, places.min(axis=0)), *map(float, places.max(axis=0)))
    left, top, right, bottom = box
    if not (right >= left and bottom >= top and max(right - left, bottom - top) > 0):
        raise BadSample(where, f"no box: {box} has no extent; write least u and v, then largest u and v")
    return left, top, right, bottom


def number_of(value: object, where: str) -> float:
    """Return a coordinate in pixels; raises :class:`BadSample` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST:
        raise BadSample(where, f"no coordinate in pixels: {str(value)[:60]!r}")
    return float(value)


def numbers_of(value: object, count: int, where: str) -> tuple[float, ...]:
    """Return ``count`` coordinates of a JSON list; raises :class:`BadSample`."""
    if not isinstance(value, list) or len(value) != count:
        raise BadSample(where, f"no {count} coordinates: {str(value)[:60]!r}")
    return tuple(number_of(each, where) for each in value)


def size_of(root: Path, path: str) -> tuple[int, int]:
    """Return height and width of a photograph from its header; raises :class:`BadSample`."""
    place = inside(root, path)
    height, width, _ = picture_header(place)
    return height, width


def inside(root: Path, path: str) -> Path:
    """Return the place of a file that an annotation names; raises :class:`BadSample` if it leads out of the folder."""
    named = PurePosixPath(path)
    if not path or "\0" in path or named.is_absolute() or ".." in named.parts:
        raise BadSample(path or "a photograph", "leads out of the data folder, or has no name")
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise BadSample(path, f"name of a file longer than {LONGEST_PATH} bytes")
    return root / named


def ordered_pairs(images: list[KeypointImage], group: str) -> Iterator[KeypointPair]:
    """Yield all ordered pairs of different photographs of a group."""
    for source in images:
        for target in images:
            if source is not target:
                yield pair_of(source, target, group, f"{source.path}, {target.path}")
