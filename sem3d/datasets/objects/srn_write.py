"""Instances written in the SRN layout, as its renderer leaves them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from sem3d.datasets.objects.part_classes import CLASSES_NAME

View = tuple[UInt8[np.ndarray, "side side 4"], Int[np.ndarray, "side side"], Float[np.ndarray, "4 4"]]
"""RGBA, labels, and ``world_from_camera`` with OpenCV axes."""


def write_instance(folder: Path, intrinsics: Float[np.ndarray, "3 3"], views: Iterable[View]) -> None:
    """Write ``rgb/000000.png`` and so on, ``seg``, ``pose`` and ``intrinsics.txt``."""
    for kind in ("rgb", "seg", "pose"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    side = 0
    for number, (picture, labels, pose) in enumerate(views):
        side = len(picture)
        Image.fromarray(picture, "RGBA").save(folder / "rgb" / f"{number:06d}.png", compress_level=4)
        np.save(folder / "seg" / f"{number:06d}.npy", labels.astype(np.int8), allow_pickle=False)
        (folder / "pose" / f"{number:06d}.txt").write_text(" ".join(f"{value:.12g}" for value in pose.ravel()) + "\n")
    focal, right, below = (intrinsics[place] for place in ((0, 0), (0, 2), (1, 2)))
    lines = f"{focal:.12g} {right:.12g} {below:.12g} 0.\n0. 0. 0.\n1.\n{side} {side}\n"
    (folder / "intrinsics.txt").write_text(lines)


def write_classes(root: Path, names: Iterable[str]) -> None:
    """Write the names of the classes, background first."""
    (root / CLASSES_NAME).write_text("".join(f"{name}\n" for name in names))
