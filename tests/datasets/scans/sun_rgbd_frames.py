"""Frames of SUN RGB-D as VoteNet extracts them: random points in turned boxes and around them."""

from pathlib import Path

import numpy as np

FOLDERS = {split: f"sunrgbd_pc_bbox_votes_50k_v1_{split}" for split in ("train", "val")}
CHAIR, BED = 3, 0


def frame_boxes(number: int) -> np.ndarray:
    """A chair and a bed that overlaps it: centre, half lengths, heading clockwise, class."""
    x = 0.1 * number
    return np.array([[x, 2.0, -0.5, 0.3, 0.6, 0.4, 0.5, CHAIR], [x + 0.6, 2.0, -0.5, 0.9, 0.7, 0.4, -1.0, BED]])


def frame_points(number: int, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(number)
    return np.column_stack([rng.uniform([-1.5, 0.5, -1], [2.5, 3.5, 0.3], (count, 3)), rng.random((count, 3))])


def points_file(root: Path, split: str, number: int) -> Path:
    return root / FOLDERS[split] / f"{number:06d}_pc.npz"


def boxes_file(root: Path, split: str, number: int) -> Path:
    return root / FOLDERS[split] / f"{number:06d}_bbox.npy"


def write_sun_rgbd(root: Path, train: int = 3, held_out: int = 2) -> Path:
    """Frames numbered as in the data set: the held-out ones first."""
    for number in range(1, 1 + train + held_out):
        split = "val" if number <= held_out else "train"
        (root / FOLDERS[split]).mkdir(parents=True, exist_ok=True)
        np.savez_compressed(points_file(root, split, number), pc=frame_points(number))
        np.save(boxes_file(root, split, number), frame_boxes(number))
        np.savez_compressed(root / FOLDERS[split] / f"{number:06d}_votes.npz", point_votes=np.zeros((400, 10)))
    return root
