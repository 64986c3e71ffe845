"""Tiny data in the SRN layout."""

from pathlib import Path

import numpy as np

from sem3d.datasets.objects.srn_write import write_classes, write_instance
from sem3d.geometry.sphere_cameras import looking_at_origin, random_eyes, square_intrinsics

CLASSES = ("background", "back", "seat")


def write_srn(root: Path, splits: dict[str, int], views: int = 3, side: int = 8) -> Path:
    """Instances whose middle is covered, the left half by class 1, the right by 2; instance k of a split has red 40 k."""
    root.mkdir(parents=True, exist_ok=True)
    write_classes(root, CLASSES)
    for split, count in splits.items():
        for number in range(count):
            folder = root / split / f"object{number}"
            write_instance(folder, square_intrinsics(side), drawn_views(number, views, side))
    return root


def drawn_views(number: int, views: int, side: int):
    poses = looking_at_origin(random_eyes(views, 1.3, np.random.default_rng(number)))
    for view, pose in enumerate(poses):
        picture, labels = np.zeros((side, side, 4), np.uint8), np.zeros((side, side), np.int64)
        inner = slice(side // 4, side - side // 4)
        picture[inner, inner] = (40 * number, 10 * view, 100, 255)
        labels[inner, side // 4 : side // 2] = 1
        labels[inner, side // 2 : side - side // 4] = 2
        yield picture, labels, pose
