"""PF-PASCAL (Ham et al., TPAMI 2018): pairs of PASCAL photographs of 20 classes.

``<root>/[trn|val|test]_pairs.csv`` with ``source_image,target_image,class,XA,YA,XB,YB``: paths, the class from 1 in alphabetical
order, and places divided by semicolons, of the keypoints that both photographs have. Boxes come from ``bbox`` of
``[PF-dataset-PASCAL/]Annotations/<class>/<name>.mat``; without that file the box around the keypoints is used, and said so.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sem3d.datasets.photos.keypoint_images import (
    MOST_KEYPOINTS,
    KeypointImage,
    KeypointPair,
    box_around,
    inside,
    number_of,
    pair_of,
    size_of,
)
from sem3d.datasets.photos.mat_files import read_arrays
from sem3d.errors import BadSample
from sem3d.texts import read_text

LISTS = {"train": "trn_pairs.csv", "val": "val_pairs.csv", "test": "test_pairs.csv"}
COLUMNS = ("source_image", "target_image", "class", "XA", "YA", "XB", "YB")
CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def is_pf_pascal(root: Path) -> bool:
    """Return whether a folder is laid out like PF-PASCAL."""
    return any((root / name).is_file() for name in LISTS.values())


def pf_pascal_pairs(root: Path, split: str) -> Iterator[KeypointPair | BadSample]:
    """Yield the pairs of a split, and why others cannot be used."""
    path = root / LISTS[split]
    table = csv.DictReader(io.StringIO(read_text(path)), strict=True)
    number = 1
    while True:
        number += 1
        where = f"{path.name} line {number}"
        try:
            row = next(table)
            yield read_pair(root, row, where)
        except StopIteration:
            return
        except BadSample as fault:
            yield fault
        except csv.Error as error:
            yield BadSample(where, f"no line of a table: {error}")
            return


def read_pair(root: Path, row: dict[str | None, str | list[str] | None], where: str) -> KeypointPair:
    """Return the pair of a line; raises :class:`BadSample`."""
    cells = [row.get(name) for name in COLUMNS]
    if None in row or not all(isinstance(cell, str) for cell in cells):
        raise BadSample(where, f"no pair: its columns must be {','.join(COLUMNS)}")
    source, target, number, *places = map(str, cells)
    if not number.isdecimal() or len(number) > 3 or not 1 <= int(number) <= len(CLASSES):
        raise BadSample(where, f"no class: {number[:60]!r} is not from 1 to {len(CLASSES)}")
    group = CLASSES[int(number) - 1]
    us, vs, other_us, other_vs = (coordinates(text, where) for text in places)
    if not len(us) == len(vs) == len(other_us) == len(other_vs):
        raise BadSample(where, "keypoints differ in number: XA, YA, XB and YB must have as many each")
    return pair_of(
        image_of(root, source, group, list(zip(us, vs, strict=True)), where),
        image_of(root, target, group, list(zip(other_us, other_vs, strict=True)), where),
        group,
        where,
    )


def coordinates(text: str, where: str) -> list[float]:
    """Return the numbers of a cell, NaN for those that are not marked; raises :class:`BadSample`."""
    words = text.split(";")
    if len(words) > MOST_KEYPOINTS:
        raise BadSample(where, f"more than {MOST_KEYPOINTS} keypoints")
    found = []
    for word in words:
        try:
            found.append(float(word) if "_" not in word else float("inf"))
        except ValueError as error:
            raise BadSample(where, f"no coordinate in pixels: {word[:60]!r}") from error
    return found


def image_of(root: Path, path: str, group: str, places: list[tuple[float, float]], where: str) -> KeypointImage:
    """Return one photograph of a pair; raises :class:`BadSample`."""
    keypoints = {
        str(number): (number_of(u, where), number_of(v, where))
        for number, (u, v) in enumerate(places)
        if u == u and v == v
    }
    annotation = annotation_of(root, path, group)
    box = read_arrays(annotation, "bbox").get("bbox") if annotation.is_file() else None
    if box is not None and box.size != 4:
        raise BadSample(str(annotation), "no bbox of four numbers")
    numbers = None if box is None else tuple(number_of(value, str(annotation)) for value in box.ravel().tolist())
    return KeypointImage(
        path,
        size_of(root, path),
        keypoints,
        box_around(keypoints, where, numbers),
        "keypoints" if numbers is None else "object",
    )


def annotation_of(root: Path, path: str, group: str) -> Path:
    """Return where the annotation of a photograph lies: beside the folder of photographs."""
    place = inside(root, path)
    return place.parent.parent / "Annotations" / group / f"{PurePosixPath(path).stem}.mat"
