"""Solid occupancy grids of meshes: voxels that the surface touches, and all that cannot be reached from outside."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

_TOLERANCE = 1e-9
"""Of a voxel's edge: a surface that lies on the boundary of two voxels must not slip between them by rounding."""
_PAIRS_AT_A_TIME = 1 << 16


def solid_voxels(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], size: int = 32
) -> Bool[np.ndarray, "{size} {size} {size}"]:
    """Return the grid indexed [x, y, z] of a mesh in the object frame, of which the cube [-0.5, 0.5]³ is kept.

    A position ``p`` lies at ``p * (size - 1) + size / 2`` voxels, so the cube reaches from the middle of the first voxel to
    the middle of the last (SoftRas ``models.py``). A voxel is full if a face touches it, boundary included, or if no path
    through the faces of empty voxels leads out of the grid. Of an open mesh, or one that leaves the cube, only the surface
    may remain. SoftRas (``voxelization_cuda_kernel.cu``) marks voxels with a pierced edge or a vertex, a subset of those
    touched.

    Raises ValueError for a mesh without faces, vertices that are not finite, or a face that names no vertex.
    """
    if len(faces) == 0:
        raise ValueError("the mesh has no faces, so it has no voxels")
    if not np.isfinite(vertices).all():
        raise ValueError("a vertex of the mesh is not finite")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"a face names a vertex outside 0 to {len(vertices) - 1}")
    return fill_solid(surface_voxels(vertices.astype(np.float64)[faces] * (size - 1) + size / 2, size))


def fill_solid(surface: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    """Return all voxels except the empty ones that are connected, by faces, to the outside of the grid."""
    regions, _ = ndimage.label(np.pad(~surface, 1, constant_values=True))
    return (regions != regions[0, 0, 0])[1:-1, 1:-1, 1:-1]


def surface_voxels(corners: Float[np.ndarray, "face 3 3"], size: int) -> Bool[np.ndarray, "{size} {size} {size}"]:
    """Return voxels ``[i, i + 1]³`` that a triangle touches, corners in voxels; a triangle without area counts as its edges.

    Separating axes (Akenine-Möller 2001): the grid's axes by the range of candidates, the triangle's normal, and the nine
    products of its edges with the grid's axes; the normal goes first, for it rules out the most.
    """
    # 1. axes that may separate a triangle from a voxel (face 10 3): nine products, then the normal
    edges = np.roll(corners, -1, axis=1) - corners
    crossed = np.cross(np.eye(3)[None, :, None], edges[:, None]).reshape(-1, 9, 3)
    axes = np.concatenate([crossed, np.cross(edges[:, 0], edges[:, 1])[:, None]], axis=1)
    # 2. span of each triangle along its axes, widened by the half-width of a voxel (face 10)
    along = np.einsum("fac,fkc->fak", axes, corners)
    reach = np.abs(axes).sum(axis=2) * (0.5 + _TOLERANCE)
    low, high = along.min(axis=2) - reach, along.max(axis=2) + reach
    # 3. candidates (pair 3) whose middle lies within the span on every axis (pair), the normal first, then the rest
    touched = np.zeros((size, size, size), dtype=bool)
    for face, voxel in _candidates(corners, size):
        for some in (slice(9, 10), slice(0, 9)):
            middle = np.einsum("pac,pc->pa", axes[face, some], voxel + 0.5)
            kept = ((low[face, some] <= middle) & (middle <= high[face, some])).all(axis=1)
            face, voxel = face[kept], voxel[kept]
        x, y, z = voxel.T
        touched[x, y, z] = True
    return touched


def to_dataset_axes(voxels: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "y x z"]:
    """Return a grid indexed [x, y, z] of the object frame in the order of the NMR ``_voxels.npz``: [y, x, reversed z].

    SoftRas ``models.py``, ``evaluate_iou``; the reversal undoes the object frame's left hand.
    """
    return voxels.transpose(1, 0, 2)[:, :, ::-1]


def _candidates(
    corners: Float[np.ndarray, "face 3 3"], size: int
) -> Iterator[tuple[Int[np.ndarray, " pair"], Int[np.ndarray, "pair 3"]]]:
    """Yield faces beside the voxels of their bounding boxes, a bounded number of pairs at a time (a face is not divided)."""
    # 1. lowest voxel and extent of each bounding box within the grid (face 3)
    first = np.clip(np.ceil(corners.min(axis=1) - _TOLERANCE) - 1, 0, size).astype(np.int64)
    last = np.clip(np.floor(corners.max(axis=1) + _TOLERANCE), -1, size - 1).astype(np.int64)
    extent = np.maximum(last - first + 1, 0)
    # 2. cuts between faces, about `_PAIRS_AT_A_TIME` voxels apart (cut)
    end = np.cumsum(extent.prod(axis=1))
    cuts = np.unique(np.searchsorted(end, np.arange(0, end[-1] + _PAIRS_AT_A_TIME, _PAIRS_AT_A_TIME)))
    for start, stop in zip(cuts, np.append(cuts[1:], len(corners)), strict=True):
        # 3. each face once a voxel of its box (pair), and the number of the voxel within the box (pair)
        count = extent[start:stop].prod(axis=1)
        face = np.repeat(np.arange(start, stop), count)
        rank = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
        # 4. the number as x, y, z of the grid (pair 3)
        rows, columns = extent[face, 1], extent[face, 2]
        voxel = first[face] + np.stack([rank // (rows * columns), rank // columns % rows, rank % columns], axis=1)
        yield face, voxel
