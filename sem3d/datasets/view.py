"""One RGB-D frame on the pixel grid of the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from sem3d.datasets.scans.frames import read_color, read_depth, resize_color
from sem3d.errors import BadSample
from sem3d.geometry.cameras import orthonormalise, resize_intrinsics
from sem3d.geometry.correspondence import to_feature_grid
from sem3d.geometry.resample import depth_on_grid

FEATURE_STRIDE = 2
"""The 2D network's features stand on every second pixel."""


@dataclass(frozen=True)
class View:
    """One frame on the network's pixel grid; depth in metres along z, 0 where there is none."""

    image: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]
    intrinsics: Float[np.ndarray, "3 3"]
    world_from_camera: Float[np.ndarray, "4 4"]


def read_view(root: Path, row: dict[str, Any], size: tuple[int, int]) -> View:
    """Decode a row of ``frames.parquet`` onto the colour camera's grid of ``size`` (height, width).

    Raises :class:`BadSample` where it cannot be used.
    """
    intrinsics = resize_intrinsics(
        np.array(row["intrinsics_color"]).reshape(3, 3), (row["color_height"], row["color_width"]), size
    )
    depth = depth_on_grid(read_depth(root, row), np.array(row["intrinsics_depth"]).reshape(3, 3), intrinsics, size)
    if not depth.any():
        raise BadSample(row["depth"], "depth is blank")
    pose = orthonormalise(np.array(row["world_from_camera"]).reshape(4, 4))
    return View(resize_color(read_color(root, row), size), depth, intrinsics, pose)


def feature_cells(pixels: Int[np.ndarray, "pixel 2"], size: tuple[int, int]) -> Int[np.ndarray, "pixel 2"]:
    """Return the cells (u, v) of the feature grid of an image of ``size`` that hold the pixels (u, v)."""
    grid = (-(-size[0] // FEATURE_STRIDE), -(-size[1] // FEATURE_STRIDE))
    return to_feature_grid(pixels, FEATURE_STRIDE, grid)
