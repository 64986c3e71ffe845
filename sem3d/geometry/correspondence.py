"""Pixels of one view that see the same surface as a pixel of another view, or a voxel (Pri3D, sections 3.1 and 3.2).

Two criteria: ``"distance"`` is the paper's, two surface points less than a threshold apart (2 cm); ``"depth"`` is that of
the released code (Sekunde/Pri3D ``pretrain/pri3d/model/model.py``), predicted against observed depth (5 cm between views,
20 cm between voxels and a view). The released code lets pixels without depth pass the test; here they never match.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sem3d.geometry.nearest import nearest_within
from sem3d.geometry.projection import inside_image, nearest_pixel, project, transform, unproject_valid, valid_depth

Criterion = Literal["depth", "distance"]


def match_pixels(
    anchor_depth: Float[np.ndarray, "height width"],
    positive_depth: Float[np.ndarray, "positive_height positive_width"],
    anchor_intrinsics: Float[np.ndarray, "3 3"],
    positive_intrinsics: Float[np.ndarray, "3 3"],
    positive_from_anchor: Float[np.ndarray, "4 4"],
    *,
    threshold: float,
    criterion: Criterion,
) -> tuple[Int[np.ndarray, "match 2"], Int[np.ndarray, "match 2"]]:
    """Return anchor pixels (u, v) and the positive pixels that see the same surface point, in row-major order of the anchor.

    Each anchor pixel with depth is back-projected, moved to the positive camera and projected to the nearest pixel there.
    It is kept if that pixel has depth and, by ``criterion``, that depth or that pixel's 3D point differs by less than
    ``threshold`` metres.
    """
    # 1. surface points of the anchor (point 3) in the positive camera, and the pixels there that show them (match 2)
    points, anchor_pixels = unproject_valid(anchor_depth, anchor_intrinsics)
    moved = transform(positive_from_anchor, points)
    match, positive_pixels = _seen(moved, positive_depth, positive_intrinsics)
    # 2. how far the predicted point lies from the observed one, metres (match)
    predicted = moved[match]
    z = positive_depth[positive_pixels[:, 1], positive_pixels[:, 0]].astype(np.float64)
    if criterion == "depth":
        error = np.abs(predicted[:, 2] - z)
    else:
        focal, centre = positive_intrinsics[[0, 1], [0, 1]], positive_intrinsics[:2, 2]
        beside = predicted[:, :2] - (positive_pixels - centre) / focal * z[:, None]
        ahead = predicted[:, 2] - z
        error = np.sqrt(beside[:, 0] ** 2 + beside[:, 1] ** 2 + ahead**2)
    # 3. matches below the threshold (close 2)
    close = error < threshold
    return anchor_pixels[match[close]], positive_pixels[close]


def match_voxels(
    voxel_positions: Float[np.ndarray, "voxel 3"],
    depth: Float[np.ndarray, "height width"],
    intrinsics: Float[np.ndarray, "3 3"],
    camera_from_world: Float[np.ndarray, "4 4"],
    *,
    threshold: float,
    criterion: Criterion,
) -> tuple[Int[np.ndarray, " match"], Int[np.ndarray, "match 2"]]:
    """Return rows of ``voxel_positions`` (world, metres) and the pixels (u, v) that show them.

    ``"depth"``: one match at most a voxel, in order of voxels: its nearest pixel, if z differs by less than ``threshold``.
    ``"distance"``: one match at most a pixel, in row-major order: the nearest voxel less than ``threshold`` away from the
    pixel's 3D point.
    """
    # 1. voxels in the camera frame (voxel 3)
    in_camera = transform(camera_from_world, voxel_positions)
    if criterion == "depth":
        # 2. by voxel: its nearest pixel (seen 2), if z agrees
        voxel, pixels = _seen(in_camera, depth, intrinsics)
        close = np.abs(in_camera[voxel, 2] - depth[pixels[:, 1], pixels[:, 0]]) < threshold
        return voxel[close], pixels[close]
    # 2. by pixel: its surface point (point 3) and the nearest voxel within the threshold (point), -1 for none
    points, pixels = unproject_valid(depth, intrinsics)
    voxel = nearest_within(points, in_camera, threshold)
    return voxel[voxel >= 0], pixels[voxel >= 0]


def to_feature_grid(
    pixels: Int[np.ndarray, "match 2"], stride: int, grid_size: tuple[int, int]
) -> Int[np.ndarray, "match 2"]:
    """Return cells (column, row) of a feature grid of size (height, width); cell i covers pixels [stride i, stride (i + 1) - 1].

    A pixel p lies at ``(p - (stride - 1) / 2) / stride`` on the grid and goes to the nearest cell, halves upwards, which is
    ``p // stride``; for stride 2 it is the released ``round((p - 0.5) / 2)``. Cells beyond the grid are clipped to it.
    """
    height, width = grid_size
    return np.clip(pixels // stride, 0, (width - 1, height - 1))


def sample_matches(rng: np.random.Generator, available: int, number: int) -> Int[np.ndarray, " number"]:
    """Draw ``number`` rows out of ``available`` matches, with repetition only where there are too few.

    Raises ValueError when there is none.
    """
    if available == 0:
        raise ValueError("cannot sample from no matches; drop the item before sampling")
    return rng.choice(available, number, replace=available < number)


def _seen(
    points: Float[np.ndarray, "point 3"], depth: Float[np.ndarray, "height width"], intrinsics: Float[np.ndarray, "3 3"]
) -> tuple[Int[np.ndarray, " seen"], Int[np.ndarray, "seen 2"]]:
    """Return rows of the points (camera frame) before the camera whose nearest pixel has depth, and that pixel."""
    # 1. image positions (point 2), and the points inside the image (row)
    positions, _ = project(points, intrinsics)
    row = np.flatnonzero(inside_image(positions, depth.shape))
    # 2. their nearest pixels (row 2), and those with depth (seen 2)
    pixels = nearest_pixel(positions[row])
    has_depth = valid_depth(depth)[pixels[:, 1], pixels[:, 0]]
    return row[has_depth], pixels[has_depth]
