"""Pixels to points and back: pinhole projection in the conventions of :mod:`sem3d.geometry`."""

import numpy as np
from jaxtyping import Bool, Float, Int


def transform(
    target_from_source: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "point 3"]
) -> Float[np.ndarray, "point 3"]:
    """Return points of the source frame in the target frame."""
    moved = points @ target_from_source[:3, :3].T
    moved += target_from_source[:3, 3]
    return moved


def valid_depth(depth: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Return where there is depth: finite and above 0."""
    return (depth > 0) & np.isfinite(depth)


def unproject_valid(
    depth: Float[np.ndarray, "height width"], intrinsics: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "point 3"], Int[np.ndarray, "point 2"]]:
    """Return points of the pixels that have depth (camera frame, metres) and those pixels (u, v), in row-major order."""
    height, width = depth.shape
    valid = valid_depth(depth)
    v = np.repeat(np.arange(height), np.count_nonzero(valid, axis=1))
    u = np.flatnonzero(valid) - v * width
    points = np.empty((len(u), 3))  # filled in place: images may have millions of pixels
    z = points[:, 2]
    z[:] = depth[v, u]
    for axis, pixel in enumerate((u, v)):
        np.divide(pixel - intrinsics[axis, 2], intrinsics[axis, axis], out=points[:, axis])
        points[:, axis] *= z
    return points, np.stack([u, v], axis=1)


def project(
    points: Float[np.ndarray, "point 3"], intrinsics: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "point 2"], Float[np.ndarray, " point"]]:
    """Return positions (u, v) in pixels of points in the camera frame, and their z in metres; NaN positions where z <= 0."""
    z = points[:, 2]
    with np.errstate(over="ignore"):
        ahead = points[:, :2] / np.where(z > 0, z, np.nan)[:, None]
        positions = ahead * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]
    return positions, z


def nearest_pixel(positions: Float[np.ndarray, "point 2"]) -> Int[np.ndarray, "point 2"]:
    """Return the pixel (u, v) that each finite position belongs to, ``floor(p + 0.5)``; it may lie outside the image."""
    return np.floor(positions + 0.5).astype(np.int64)


def inside_image(positions: Float[np.ndarray, "point 2"], size: tuple[int, int]) -> Bool[np.ndarray, " point"]:
    """Return whether the pixel of each position lies in an image of ``size`` (height, width); false for NaN and infinity."""
    height, width = size
    u, v = positions[:, 0] + 0.5, positions[:, 1] + 0.5
    return (u >= 0) & (u < width) & (v >= 0) & (v < height)
