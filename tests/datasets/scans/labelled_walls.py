"""Scans of a wall with a mesh and its labelled copy: chairs on the left, tables on the right, no class at the border."""

from pathlib import Path

import numpy as np

from tests.datasets.scans.official_files import write_export, write_ply

CHAIR, TABLE, OTHER_STRUCTURE = 5, 7, 38
"""NYU40 ids; the last is none of the 20 classes, and the train ids of the others are the same."""
NO_FACES = np.zeros((0, 3), np.int32)


def wall_points() -> np.ndarray:
    """Points every 5 cm of the wall that the frames of ``official_files`` see."""
    x, y = np.meshgrid(0.05 * np.arange(60) - 1.4, 0.05 * np.arange(40) - 1.0, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, 2.0)], axis=1).astype(np.float32)


def wall_colors(points: np.ndarray) -> np.ndarray:
    """A colour of each point's own row and column."""
    return np.rint((points + 1.5) * 60).clip(0, 255).astype(np.uint8)


def wall_labels(points: np.ndarray) -> np.ndarray:
    return np.where(abs(points[:, 0]) < 0.1, OTHER_STRUCTURE, np.where(points[:, 0] < 0, CHAIR, TABLE))


def mesh_file(root: Path, scene: str) -> Path:
    return root / scene / f"{scene}_vh_clean_2.ply"


def labels_file(root: Path, scene: str) -> Path:
    return root / scene / f"{scene}_vh_clean_2.labels.ply"


def write_labels(root: Path, scene: str, points: np.ndarray, labels: np.ndarray | None) -> None:
    """The labelled copy of a mesh; its colours are those of classes, as ScanNet's are."""
    write_ply(labels_file(root, scene), points, np.full((len(points), 3), 7, np.uint8), NO_FACES, labels)


def write_walls(root: Path, train: int = 2, held_out: int = 1) -> Path:
    """Scans in the layout of exports, with ScanNet's lists."""
    scenes = [f"scene{number:04d}_00" for number in range(train + held_out)]
    for number, scene in enumerate(scenes):
        write_export(root, scene, 2)
        points = wall_points() + np.float32(0.001 * number)
        write_ply(mesh_file(root, scene), points, wall_colors(points), NO_FACES, None)
        write_labels(root, scene, points, wall_labels(points))
    (root / "scannetv2_train.txt").write_text("\n".join(scenes[:train]))
    (root / "scannetv2_val.txt").write_text("\n".join(scenes[train:]))
    return root
