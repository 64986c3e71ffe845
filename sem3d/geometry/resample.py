"""Depth seen on another pixel grid of the same camera centre."""

import numpy as np
from jaxtyping import Float


def depth_on_grid(
    depth: Float[np.ndarray, "height width"],
    depth_intrinsics: Float[np.ndarray, "3 3"],
    grid_intrinsics: Float[np.ndarray, "3 3"],
    grid_size: tuple[int, int],
) -> Float[np.ndarray, "grid_height grid_width"]:
    """Return depth (metres, along z) at the pixels of a grid whose camera shares centre and axes with the depth camera.

    Each pixel of the grid takes the nearest depth pixel on its ray, without interpolation across edges; 0 outside the
    depth camera's view. Serves both resizing and sensors whose colour and depth intrinsics differ, as ScanNet's do.
    """
    height, width = grid_size
    columns = nearest_along(np.arange(width), grid_intrinsics[0], depth_intrinsics[0], 0)
    rows = nearest_along(np.arange(height), grid_intrinsics[1], depth_intrinsics[1], 1)
    seen_columns = (columns >= 0) & (columns < depth.shape[1])
    seen_rows = (rows >= 0) & (rows < depth.shape[0])
    values = depth[np.clip(rows, 0, depth.shape[0] - 1)][:, np.clip(columns, 0, depth.shape[1] - 1)]
    return np.where(seen_rows[:, None] & seen_columns[None, :], values, np.zeros((), depth.dtype))


def nearest_along(
    pixels: np.ndarray, grid_row: Float[np.ndarray, "3"], depth_row: Float[np.ndarray, "3"], axis: int
) -> np.ndarray:
    """Return depth pixel numbers of grid pixel numbers along one image axis, given that axis's row of both intrinsics."""
    slope = (pixels - grid_row[2]) / grid_row[axis]
    return np.floor(slope * depth_row[axis] + depth_row[2] + 0.5).astype(np.int64)
