"""Points to voxels, and the box of the world that a frame looks into."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Int32, Int64

from sem3d.geometry.projection import transform, unproject_valid

_BITS = 21
_HALF = 1 << (_BITS - 1)
_DENSE_VOXELS = 1 << 23


def voxel_indices(
    points: Float[np.ndarray, "point 3"], voxel_size: float, rounding: Literal["floor", "truncate"] = "floor"
) -> Int32[np.ndarray, "point 3"]:
    """Return the integer voxel of each point, in units of ``voxel_size``.

    ``"truncate"`` rounds toward zero as the released Pri3D does (``pretrain/pri3d/dataset/voxelizer.py``), which makes the
    voxels at 0 twice as wide. Raises ValueError beyond 32 bits or where a point is not finite.
    """
    scaled = points / voxel_size
    if not (np.abs(scaled) < 2**31).all():
        raise ValueError(f"a point is not finite or too far from the origin for voxels of {voxel_size} m")
    return (np.floor(scaled) if rounding == "floor" else scaled).astype(np.int32)


def pack(indices: Int[np.ndarray, "point 3"]) -> Int64[np.ndarray, " point"]:
    """Return one integer a voxel, ordered like (x, y, z) with neighbours in z adjacent.

    Raises ValueError unless every index lies in [-2^20, 2^20).
    """
    shifted = indices.astype(np.int64) + _HALF
    if not ((shifted >= 0) & (shifted < 2 * _HALF)).all():
        raise ValueError(f"a voxel index lies outside [-{_HALF}, {_HALF}); use larger voxels or move the origin")
    return (((shifted[:, 0] << _BITS) | shifted[:, 1]) << _BITS) | shifted[:, 2]


def first_per_voxel(
    indices: Int[np.ndarray, "point 3"],
) -> tuple[Int[np.ndarray, "voxel 3"], Int[np.ndarray, " voxel"]]:
    """Return occupied voxels in order of first appearance, and the row of the first point in each.

    Raises ValueError as :func:`pack`.
    """
    first = np.sort(np.unique(pack(indices), return_index=True)[1])
    return indices[first], first


def distinct_voxels(
    indices: Int[np.ndarray, "point 3"],
) -> tuple[Int[np.ndarray, "voxel 3"], Int[np.ndarray, " voxel"], Int[np.ndarray, " point"]]:
    """Return occupied voxels in the order of :func:`pack`, the row of the first point in each, and the voxel of each point.

    Raises ValueError as :func:`pack`.
    """
    _, first, of_point = np.unique(pack(indices), return_index=True, return_inverse=True)
    return indices[first], first, of_point


def mean_per_voxel(points: Float[np.ndarray, "point 3"], voxel_size: float) -> Float[np.ndarray, "voxel 3"]:
    """Return the mean position of the points in each occupied voxel, float64, ordered by voxel (x, then y, then z).

    Open3D's ``voxel_down_sample``, which the released Pri3D uses for overlaps: the grid starts half a voxel below the
    smallest coordinates of the cloud, so it differs from cloud to cloud.
    """
    if len(points) == 0:
        return np.zeros((0, 3))
    voxel, cells = np.zeros(len(points), np.int64), 1
    for place in points.T:  # one axis at a time: clouds may have millions of points
        axis = np.ascontiguousarray(place, dtype=np.float64)
        along = ((axis - (axis.min() - voxel_size / 2)) / voxel_size).astype(np.int64)
        length = int(along.max()) + 1
        cells *= length
        voxel *= length
        voxel += along
    if cells > _DENSE_VOXELS:
        voxel = np.unique(voxel, return_inverse=True)[1]
    count = np.bincount(voxel)
    occupied = np.flatnonzero(count)
    return np.stack([np.bincount(voxel, weights=axis)[occupied] / count[occupied] for axis in points.T], axis=1)


def frustum_box(
    depth: Float[np.ndarray, "height width"],
    intrinsics: Float[np.ndarray, "3 3"],
    world_from_camera: Float[np.ndarray, "4 4"],
    *,
    whole_metres: bool,
    include_camera: bool,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return lowest and highest corner, world metres, of the axis-aligned box around everything that the frame sees.

    The paper (Pri3D 3.2) boxes the view frustum: both switches False, the visible surface, or ``include_camera`` for the
    whole pyramid. The released ``chunk.py`` sets both: pixels without depth put the camera centre into the box, and its
    corners are rounded outwards to whole metres. Raises ValueError for a frame without depth.
    """
    points, _ = unproject_valid(depth, intrinsics)
    if len(points) == 0:
        raise ValueError("no pixel has depth, so there is nothing to put a box around")
    if include_camera:
        points = np.concatenate([points, np.zeros((1, 3))])
    world = transform(world_from_camera, points)
    columns = np.ascontiguousarray(world.T)
    low, high = columns.min(axis=1), columns.max(axis=1)
    return (np.floor(low), np.ceil(high)) if whole_metres else (low, high)
