"""Voxel coordinates as sorted 64-bit keys: duplicates, neighbours and coarser voxels are found by sorting and searching."""

from dataclasses import dataclass

import torch
from jaxtyping import Int, Int32, Int64
from torch import Tensor

REACH = 2
"""Largest step along one axis that keys can be searched for, in voxels; enough for kernels up to 5 voxels wide."""


@dataclass(frozen=True)
class VoxelIndex:
    """Distinct voxels of one stride in search order.

    Keys grow with (batch, x, y, z), and a key plus ``x_step``, ``y_step`` or 1 is the key of the next voxel along x, y or
    z, up to :data:`REACH` voxels and without ever meeting a key of another row, column or batch item.
    """

    keys: Int64[Tensor, " voxel"]
    rows: Int64[Tensor, " voxel"] | None
    """Row of each key among the coordinates; None where the coordinates are in key order already."""
    x_step: int
    y_step: int


def pack_coordinates(
    lattice: Int[Tensor, "voxel 4"],
) -> tuple[Int64[Tensor, " voxel"], Int64[Tensor, "4"], tuple[int, int, int, int]]:
    """Return keys of whole-number coordinates (batch, x, y, z), with the lowest corner and the weights that unpack them.

    Raises :class:`ValueError` where the bounding box holds more cells than 63 bits can count.
    """
    if len(lattice) == 0:
        return lattice.new_zeros(0, dtype=torch.int64), lattice.new_zeros(4, dtype=torch.int64), (1, 1, 1, 1)
    low, high = (corner.to(torch.int64) for corner in torch.aminmax(lattice, dim=0))
    items, width, depth, height = (high - low + 1 + REACH).tolist()
    if items * width * depth * height >= 2**63:
        raise ValueError(
            f"voxels span {width} x {depth} x {height} cells in {items - REACH} items, too many for 63 bits"
        )
    weights = (width * depth * height, depth * height, height, 1)
    batch, x, y, z = (lattice.to(torch.int64) - low).unbind(1)
    return ((batch * width + x) * depth + y) * height + z, low, weights


def unpack_keys(
    keys: Int64[Tensor, " voxel"], low: Int64[Tensor, "4"], weights: tuple[int, int, int, int]
) -> Int64[Tensor, "voxel 4"]:
    """Return coordinates (batch, x, y, z) of keys made by :func:`pack_coordinates`."""
    columns = []
    for weight in weights:
        columns.append(torch.div(keys, weight, rounding_mode="floor"))
        keys = keys - columns[-1] * weight
    return torch.stack(columns, dim=1) + low


def index_voxels(coordinates: Int32[Tensor, "voxel 4"], stride: int) -> VoxelIndex:
    """Return the search order of the voxels of ``stride``, whose x, y and z are multiples of it.

    Raises :class:`ValueError` where two rows are the same voxel.
    """
    keys, _, (_, x_step, y_step, _) = pack_coordinates(_in_voxels(coordinates, stride))
    rows = None
    if not bool((keys[1:] > keys[:-1]).all()):
        keys, rows = torch.sort(keys)
        twice = int((keys[1:] == keys[:-1]).sum())
        if twice:
            raise ValueError(f"{twice} of {len(keys)} voxel coordinates occur more than once; keep one row a voxel")
    return VoxelIndex(keys, rows, x_step, y_step)


def coarsen(
    coordinates: Int32[Tensor, "voxel 4"], stride: int
) -> tuple[Int32[Tensor, "coarse 4"], Int64[Tensor, " voxel"]]:
    """Return voxels of ``stride`` that hold the given ones, in ascending (batch, x, y, z), and the coarse row of each given one.

    Coordinates are rounded down, below zero too.
    """
    keys, low, weights = pack_coordinates(_in_voxels(coordinates, stride))
    coarse_keys, parents = torch.unique(keys, return_inverse=True)
    coarse = unpack_keys(coarse_keys, low, weights)
    coarse[:, 1:] *= stride
    return coarse.to(torch.int32), parents


def _in_voxels(coordinates: Int32[Tensor, "voxel 4"], stride: int) -> Int32[Tensor, "voxel 4"]:
    """Return coordinates counted in voxels of ``stride``; the batch column stays."""
    if stride == 1:
        return coordinates
    voxels = torch.div(coordinates, stride, rounding_mode="floor")
    voxels[:, 0] = coordinates[:, 0]
    return voxels
