"""Views of an object as rays with their colours and labels: one row is loaded, loaded rows become a batch.

Pixels have their centres at whole numbers + 0.5, as the cameras of the SRN layout have them
(:mod:`sem3d.datasets.objects.srn_cameras`), unlike frames of scans.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int

from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.datasets.objects.sketch_files import DEPTH, DEPTH_UNITS, read_depth
from sem3d.datasets.objects.srn_layout import (
    WHITE,
    nearest_squared,
    read_labels,
    read_picture,
    same_size,
    squared,
)
from sem3d.errors import BadSample
from sem3d.folders import is_there

FARTHEST_POINT = 1.0
"""From the middle of the world, in sizes of the object: its diagonal, or its longest side, of which half a diagonal is 0.87."""
NO_INSTANCE = -1
"""Instance of a row that could not be used."""
Transparent = Literal["white", "released"]
"""white: colours lie over white by their opacity. released: only pixels of no opacity at all are made white."""


@dataclass(frozen=True)
class LoadRays:
    """Row of an instance and some of its views to rays with their colours and labels."""

    root: Path
    side: int
    """Of the pictures, pixels; others are cut to their middle square and scaled."""
    transparent: Transparent
    class_names: tuple[str, ...]
    """Of the parts, background first; none where the data have no labels."""
    views: int
    """Views of a sample, drawn from the row's; 0: all of them, in order."""
    rays: int
    """0: whole pictures."""

    def __call__(self, row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return one column a field of the batch, without the batch axis; raises :class:`BadSample`."""
        there = len(row["pictures"])
        chosen = np.arange(there)
        if self.views:
            chosen = rng.choice(there, self.views, replace=self.views > there)
        poses = np.array(row["poses"]).reshape(-1, 4, 4)
        loaded = [self.view(row, view, rng) for view in chosen.tolist()]
        columns = {name: np.stack([view[name] for view in loaded]) for name in loaded[0]}
        return columns | {
            "instance": np.array(row["instance"], np.int64),
            "intrinsics": squared_intrinsics(row, self.side).astype(np.float32),
            "world_from_camera": poses[chosen].astype(np.float32),
        }

    def view(self, row: dict[str, Any], view: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``pixels``, ``color``, ``alpha`` and ``label`` of the rays of one view."""
        side, size = self.side, (row["height"], row["width"])
        path = self.root / row["pictures"][view]
        picture, labels = read_picture(path), None
        same_size(path, picture.shape[:2], size)
        if row["labels"][view]:
            place = self.root / row["labels"][view]
            labels = read_labels(place, len(self.class_names))
            same_size(place, labels.shape, size)
        picture, labels = squared(picture, labels, side)
        places = np.arange(side * side)
        if self.rays:
            places = rng.choice(side * side, self.rays, replace=self.rays > side * side)
        label = np.full(len(places), UNKNOWN, np.int64) if labels is None else labels.reshape(-1)[places]
        color, alpha = over_white(picture.reshape(-1, 4)[places], self.transparent)
        return {"pixels": pixel_centres(places, side), "color": color, "alpha": alpha, "label": label}


def depth_of_view(
    root: Path, row: Mapping[str, Any], view: int, side: int
) -> Float32[np.ndarray, "{side} {side}"] | None:
    """Return the true depth along the optical axis of one view of a row, the nearest of each pixel, 0 where there is nothing.

    None where the data have none. Raises :class:`BadSample` for another size or kind of picture, and for depth that shows
    something farther from the middle of the world than any object of unit size reaches.
    """
    picture = root / row["pictures"][view]
    path = picture.parents[1] / DEPTH / f"{picture.stem}.png"
    if not is_there(path):
        return None
    depth = read_depth(path)
    same_size(path, depth.shape, (row["height"], row["width"]))
    depth = nearest_squared(depth, side)
    places, pose = np.flatnonzero(depth), np.array(row["poses"]).reshape(-1, 4, 4)[view]
    centres = np.column_stack([pixel_centres(places, side), np.ones(len(places))])
    rays = centres @ np.linalg.inv(squared_intrinsics(row, side)).T
    points = rays * depth.reshape(-1)[places][:, None] @ pose[:3, :3].T + pose[:3, 3]
    farthest = np.linalg.norm(points, axis=1).max(initial=0.0)
    if farthest > FARTHEST_POINT:
        raise BadSample(
            str(path),
            f"depth of another unit or pose: it shows points {farthest:.2f} from the middle, where objects of size 1 "
            f"reach {FARTHEST_POINT:g} at most; 1 is {DEPTH_UNITS}",
        )
    return depth


def over_white(
    picture: np.ndarray, transparent: Transparent
) -> tuple[Float32[np.ndarray, "ray 3"], Float32[np.ndarray, " ray"]]:
    """Return colours in [-1, 1] and opacities in [0, 1] of RGBA pixels."""
    color, alpha = picture[:, :3].astype(np.float32) / WHITE, picture[:, 3].astype(np.float32) / WHITE
    share = alpha[:, None] if transparent == "white" else (alpha > 0)[:, None]
    return 2.0 * (color * share + (1.0 - share)).astype(np.float32) - 1.0, alpha


def pixel_centres(places: Int[np.ndarray, " ray"], side: int) -> Float32[np.ndarray, "ray 2"]:
    """Return (u, v) of the centres of pixels that are counted row by row."""
    return (np.stack([places % side, places // side], axis=1) + 0.5).astype(np.float32)


def squared_intrinsics(row: Mapping[str, Any], side: int) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsics of a row's pictures after :func:`sem3d.datasets.objects.srn_layout.squared`."""
    height, width = row["height"], row["width"]
    short = min(height, width)
    moved = np.array(row["intrinsics"]).reshape(3, 3).copy()
    moved[:2, 2] -= ((width - short) // 2, (height - short) // 2)
    return np.diag([side / short, side / short, 1.0]) @ moved


@dataclass(frozen=True)
class CollateRays:
    """A stack of loaded rows; one that could not be used is of instance -1, white, transparent and unlabelled."""

    side: int
    views: int
    rays: int

    def __call__(self, loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
        """Return the columns of a batch."""
        rays = self.rays or self.side**2
        middle = np.array([[self.side, 0, self.side / 2], [0, self.side, self.side / 2], [0, 0, 1]], np.float32)
        empty = {
            "instance": np.array(NO_INSTANCE, np.int64),
            "intrinsics": middle,
            "world_from_camera": np.tile(np.eye(4, dtype=np.float32), (self.views, 1, 1)),
            "pixels": np.full((self.views, rays, 2), self.side / 2, np.float32),
            "color": np.ones((self.views, rays, 3), np.float32),
            "alpha": np.zeros((self.views, rays), np.float32),
            "label": np.full((self.views, rays), UNKNOWN, np.int64),
        }
        return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}
