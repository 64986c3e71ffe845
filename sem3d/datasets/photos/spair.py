"""SPair-71k (Min et al., 2019): pairs of photographs of 18 classes.

``<root>/Layout/large/{trn,val,test}.txt`` (or ``small``) name pairs ``<number>-<source>-<target>:<class>``, each of which is
``PairAnnotation/<split>/<name>.json``; photographs lie in ``JPEGImages/<class>``. Names of files hold a colon.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sem3d.datasets.photos.keypoint_images import (
    MOST_KEYPOINTS,
    KeypointImage,
    KeypointPair,
    box_around,
    inside,
    numbers_of,
    pair_of,
    size_of,
)
from sem3d.errors import BadSample, UserError
from sem3d.files import whole_number
from sem3d.texts import lines_of, read_sample_text, read_text

FOLDERS = {"train": "trn", "val": "val", "test": "test"}
SIZES = ("large", "small")


def is_spair(root: Path) -> bool:
    """Return whether a folder is laid out like SPair-71k."""
    return (root / "PairAnnotation").is_dir()


def pair_names(root: Path, split: str) -> list[str]:
    """Return the pairs of a split, those of the large layout where there is one; raises :class:`UserError` without a list."""
    lists = [root / "Layout" / size / f"{FOLDERS[split]}.txt" for size in SIZES]
    path = next((path for path in lists if path.is_file()), None)
    if path is None:
        raise UserError(f"no list of {split} pairs: {lists[0]} is missing; unpack SPair-71k whole")
    return [line.strip() for line in lines_of(read_text(path)) if line.strip()]


def spair_pairs(root: Path, split: str) -> Iterator[KeypointPair | BadSample]:
    """Yield the pairs of a split, and why others cannot be used."""
    for name in pair_names(root, split):
        try:
            yield read_pair(root, f"PairAnnotation/{FOLDERS[split]}/{name}.json")
        except BadSample as fault:
            yield fault


def read_pair(root: Path, path: str) -> KeypointPair:
    """Return an annotated pair; raises :class:`BadSample`."""
    try:
        content = json.loads(read_sample_text(inside(root, path)), parse_int=whole_number)
    except (ValueError, RecursionError) as error:
        raise BadSample(path, f"no JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("category"), str):
        raise BadSample(path, "no pair: it has no category")
    source, target = (image_of(root, content, role, path) for role in ("src", "trg"))
    return pair_of(source, target, content["category"], path)


def image_of(root: Path, content: dict[str, Any], role: str, where: str) -> KeypointImage:
    """Return the photograph of a pair that has a role, ``src`` or ``trg``; raises :class:`BadSample`."""
    names, places, name = content.get("kps_ids"), content.get(f"{role}_kps"), content.get(f"{role}_imname")
    if not isinstance(names, list) or not isinstance(places, list) or not isinstance(name, str):
        raise BadSample(where, f"no pair: it lacks kps_ids, {role}_kps or {role}_imname")
    if len(names) != len(places) or len(names) > MOST_KEYPOINTS or not all(isinstance(each, str) for each in names):
        raise BadSample(where, f"kps_ids and {role}_kps differ in number, or are no ids")
    keypoints = {each: numbers_of(place, 2, where) for each, place in zip(names, places, strict=True)}
    box = box_around({}, where, numbers_of(content.get(f"{role}_bndbox"), 4, where))
    path = f"JPEGImages/{content['category']}/{name}"
    return KeypointImage(path, size_of(root, path), {key: (u, v) for key, (u, v) in keypoints.items()}, box, "object")
