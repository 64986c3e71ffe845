"""Scans of walls (``labelled_walls``), bent so that objects have a volume, with ScanNet's files of objects.

A segment is a column of points, a chair 7 columns and a table 10.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.datasets.scans.labelled_walls import (
    NO_FACES,
    wall_colors,
    wall_labels,
    wall_points,
    write_labels,
    write_walls,
)
from tests.datasets.scans.official_files import write_ply

COLUMNS, ROWS = 60, 40
CHAIRS, TABLES = 4, 3


def bent_points(number: int = 0) -> np.ndarray:
    """Points of the wall of a scene, nearer in the middle of each object."""
    points = wall_points() + np.float32(0.001 * number)
    points[:, 2] += 0.05 * np.sin(3 * points[:, 0]) + 0.05 * np.cos(2 * points[:, 1])
    return points


def group_of_columns() -> np.ndarray:
    """Number of the object of each column of points, from 0: chairs, then tables; -1 where there is none."""
    group = np.full(COLUMNS, -1)
    group[: 7 * CHAIRS] = np.repeat(np.arange(CHAIRS), 7)
    group[-10 * TABLES :] = CHAIRS + np.repeat(np.arange(TABLES), 10)
    return group


def object_files(root: Path, scene: str) -> tuple[Path, Path]:
    return root / scene / f"{scene}_vh_clean_2.0.010000.segs.json", root / scene / f"{scene}.aggregation.json"


def write_objects(root: Path, scene: str, segments: Any, groups: Any) -> None:
    for path, content in zip(object_files(root, scene), ({"segIndices": segments}, {"segGroups": groups}), strict=True):
        path.write_text(json.dumps(content))


def official_groups() -> tuple[list[int], list[dict[str, Any]]]:
    """Segment of each point, and the groups."""
    segments = np.repeat(np.arange(COLUMNS) * 3 + 11, ROWS)
    of_column = group_of_columns()
    groups = [
        {"id": number, "objectId": number, "segments": (np.flatnonzero(of_column == number) * 3 + 11).tolist()}
        for number in range(CHAIRS + TABLES)
    ]
    return segments.tolist(), groups


def write_walls_with_objects(root: Path, train: int = 2, held_out: int = 1) -> Path:
    """Scans with labels and objects."""
    write_walls(root, train, held_out)
    for number in range(train + held_out):
        scene = f"scene{number:04d}_00"
        points = bent_points(number)
        write_ply(root / scene / f"{scene}_vh_clean_2.ply", points, wall_colors(wall_points()), NO_FACES, None)
        write_labels(root, scene, points, wall_labels(points))
        write_objects(root, scene, *official_groups())
    return root
