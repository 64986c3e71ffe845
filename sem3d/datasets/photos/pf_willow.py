"""PF-WILLOW (Ham et al., CVPR 2016): ten groups of ten photographs, each with ten keypoints in the same order.

``<root>/[PF-dataset-WILLOW/]<group>/<name>.png`` and ``<name>.mat`` with ``pts_coord`` (2 x 10, u then v). All ordered pairs of a
group are its 90 pairs, as in the published ``test_pairs.csv``. It has no boxes: those around the keypoints are used.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sem3d.datasets.photos.keypoint_images import (
    FARTHEST,
    MOST_KEYPOINTS,
    KeypointImage,
    KeypointPair,
    box_around,
    ordered_pairs,
    size_of,
)
from sem3d.datasets.photos.mat_files import read_arrays
from sem3d.errors import BadSample
from sem3d.folders import matching, root_entries

FOLDER = "PF-dataset-WILLOW"
POINTS = "pts_coord"
PICTURES = (".png", ".jpg", ".jpeg")


def group_folders(root: Path) -> list[Path]:
    """Return the folders of a root that hold annotations."""
    top = root / FOLDER if (root / FOLDER).is_dir() else root
    return [folder for folder in root_entries(top) if folder.is_dir() and matching(folder, "*.mat")]


def is_pf_willow(root: Path) -> bool:
    """Return whether a folder is laid out like PF-WILLOW."""
    return bool(group_folders(root))


def pf_willow_pairs(root: Path, _split: str) -> Iterator[KeypointPair | BadSample]:
    """Yield the pairs of all groups, and why photographs cannot be used."""
    for folder in group_folders(root):
        images: list[KeypointImage] = []
        for path in matching(folder, "*.mat"):
            try:
                images.append(read_image(root, path))
            except BadSample as fault:
                yield fault
        yield from ordered_pairs(images, folder.name)


def read_image(root: Path, annotation: Path) -> KeypointImage:
    """Return the photograph beside an annotation; raises :class:`BadSample`."""
    where = annotation.relative_to(root).as_posix()
    beside = [annotation.with_suffix(ending) for ending in PICTURES if annotation.with_suffix(ending).exists()]
    if not beside:
        raise BadSample(where, f"no photograph beside it: {annotation.stem}{PICTURES[0]} is missing")
    points = read_arrays(annotation, POINTS).get(POINTS)
    if points is None or points.shape[0] != 2 or points.shape[1] > MOST_KEYPOINTS:
        raise BadSample(where, f"no {POINTS} of 2 rows, u and v")
    if not (np.isnan(points) | (abs(points) <= FARTHEST)).all():
        raise BadSample(where, f"no coordinates in pixels: {POINTS} is beyond {FARTHEST:g}")
    places = enumerate(points.T.tolist())
    keypoints = {str(number): (float(u), float(v)) for number, (u, v) in places if u == u and v == v}
    path = beside[0].relative_to(root).as_posix()
    return KeypointImage(path, size_of(root, path), keypoints, box_around(keypoints, where), "keypoints")
