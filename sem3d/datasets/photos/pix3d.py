"""Pix3D (Sun et al., CVPR 2018): photographs of furniture with keypoints by several annotators, masks, and the shape shown.

``<root>/pix3d.json``; a list of photographs (``input.txt`` of its evaluation: the 2894 chairs that are neither truncated nor
occluded) chooses some. An annotator writes -1 where a keypoint was hard to mark. A keypoint is visible where more than half of
them marked it, and lies at the mean of their marks. Keypoints are numbered anew for each shape (its issue 14), so that only
photographs of one shape make pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sem3d.datasets.photos.keypoint_images import (
    MOST_KEYPOINTS,
    KeypointImage,
    KeypointPair,
    box_around,
    numbers_of,
    pair_of,
)
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json
from sem3d.texts import lines_of, read_text

ANNOTATIONS = "pix3d.json"
UNMARKED = -1.0


@dataclass(frozen=True)
class Pix3DImage:
    """A photograph of Pix3D, and the shape that it shows."""

    image: KeypointImage
    category: str
    mask: str
    """Path of the object's mask."""
    model: str
    """Path of its mesh."""
    unobstructed: bool
    """Neither truncated nor occluded."""


def pix3d_images(root: Path, listed: Path | None = None) -> tuple[list[Pix3DImage], list[BadSample]]:
    """Return all photographs, or those of a list, in its order, and why others cannot be used.

    Raises :class:`UserError` without annotations, and for a list of none of them.
    """
    content = read_json(root / ANNOTATIONS)
    if not isinstance(content, list):
        raise UserError(f"{root / ANNOTATIONS} is no list of photographs")
    found: dict[str, Pix3DImage] = {}
    faults = []
    for number, record in enumerate(content):
        try:
            one = read_record(record, f"{ANNOTATIONS}[{number}]")
            found[one.image.path] = one
        except BadSample as fault:
            faults.append(fault)
    if listed is None:
        return list(found.values()), faults
    names = list_of_images(listed)
    missing = [
        BadSample(name, f"on the list {listed.name}, not in {ANNOTATIONS}") for name in names if name not in found
    ]
    if len(missing) == len(names):
        raise UserError(
            f"{listed} lists none of the photographs of {root / ANNOTATIONS}: name the list of this data set"
        )
    return [found[name] for name in names if name in found], faults + missing


def is_pix3d(root: Path) -> bool:
    """Return whether a folder is laid out like Pix3D."""
    return (root / ANNOTATIONS).is_file()


def pix3d_pairs(root: Path, _split: str) -> Iterator[KeypointPair | BadSample]:
    """Yield for each photograph that is neither truncated nor occluded a pair with the next one of the same shape, in turn, that
    shares a keypoint, and why photographs cannot be used.
    """
    images, faults = pix3d_images(root)
    yield from faults
    of_shape: dict[str, list[Pix3DImage]] = {}
    for one in images:
        if one.unobstructed:
            of_shape.setdefault(one.model, []).append(one)
    for own in of_shape.values():
        for place, source in enumerate(own):
            others = [*own[place + 1 :], *own[:place]]
            shared = (other for other in others if source.image.keypoints.keys() & other.image.keypoints.keys())
            if (target := next(shared, None)) is not None:
                yield pair_of(source.image, target.image, source.category, f"{source.image.path}, {target.image.path}")


def list_of_images(path: Path) -> list[str]:
    """Return the photographs that a list names, as ``pix3d.json`` does: from the folder ``img`` on."""
    return [
        PurePosixPath(*[part for part in PurePosixPath(line.strip()).parts if part not in ("..", ".")]).as_posix()
        for line in lines_of(read_text(path))
        if line.strip()
    ]


def read_record(record: Any, where: str) -> Pix3DImage:
    """Return the photograph of a record; raises :class:`BadSample`."""
    record = record if isinstance(record, dict) else {}
    path, category, mask, model = (text_of(record, name, where) for name in ("img", "category", "mask", "model"))
    width, height = numbers_of(record.get("img_size"), 2, where)
    if not (width >= 1 and height >= 1):
        raise BadSample(where, f"no size of an image: {record['img_size']}")
    keypoints = agreed_keypoints(record.get("2d_keypoints"), where)
    box = box_around(keypoints, where, numbers_of(record.get("bbox"), 4, where))
    hidden = [bool(record.get(name)) for name in ("truncated", "occluded", "slightly_occluded")]
    image = KeypointImage(path, (int(height), int(width)), keypoints, box, "object")
    return Pix3DImage(image, category, mask, model, not any(hidden))


def text_of(record: dict[str, Any], key: str, where: str) -> str:
    """Return a text of a record; raises :class:`BadSample`."""
    text = record.get(key)
    if not isinstance(text, str) or not text:
        raise BadSample(where, f"no photograph: it lacks {key}")
    return text


def agreed_keypoints(value: Any, where: str) -> dict[str, tuple[float, float]]:
    """Return the mean place of each keypoint that more than half of the annotators marked; raises :class:`BadSample`."""
    if not isinstance(value, list) or not value or not all(isinstance(own, list) for own in value):
        raise BadSample(where, "no 2d_keypoints: a list for each annotator")
    if len({len(own) for own in value}) > 1 or len(value) * len(value[0]) > MOST_KEYPOINTS:
        raise BadSample(where, "annotators differ in the number of 2d_keypoints")
    marks = np.array([[numbers_of(place, 2, where) for place in own] for own in value]).reshape(len(value), -1, 2)
    marked = (marks != UNMARKED).any(axis=2)
    agreed = {}
    for number in range(marks.shape[1]):
        own: Sequence[bool] = marked[:, number]
        if 2 * np.sum(own) > len(value):
            u, v = marks[own, number].mean(axis=0)
            agreed[str(number)] = (float(u), float(v))
    return agreed
