"""Voxel coordinates as sorted 64-bit keys: duplicates, neighbours and coarser voxels are found by sorting and searching."""

from dataclasses import dataclass

import torch
from jaxtyping import Int, Int32, Int64
from torch import Tensor

REACH = 2
"""Largest step along one axis that keys can be searched for, in voxels; enough for kernels up to 5 voxels wide."""


@dataclass(frozen=True)
class Box:
    """Lowest and highest (batch, x, y, z) of a set of voxels, counted in voxels of one stride."""

    low: tuple[int, int, int, int]
    high: tuple[int, int, int, int]

    @property
    def weights(self) -> tuple[int, int, int, int]:
        """Return what one step along batch, x, y and z adds to a key; :data:`REACH` cells stay free between the columns."""
        _, _, depth, height = self._sizes()
        return self._sizes()[1] * depth * height, depth * height, height, 1

    def coarser(self) -> "Box":
        """Return the box in voxels of twice the stride."""
        (batch, x, y, z), (last_batch, last_x, last_y, last_z) = self.low, self.high
        return Box((batch, x // 2, y // 2, z // 2), (last_batch, last_x // 2, last_y // 2, last_z // 2))

    def check(self) -> "Box":
        """Return this box; raise :class:`ValueError` where it holds more cells than 63 bits can count."""
        items, width, depth, height = self._sizes()
        if items * width * depth * height >= 2**63:
            raise ValueError(
                f"voxels span {width} x {depth} x {height} cells in {items - REACH} items, too many for 63 bits"
            )
        return self

    def _sizes(self) -> tuple[int, int, int, int]:
        items, width, depth, height = (high - low + 1 + REACH for low, high in zip(self.low, self.high, strict=True))
        return items, width, depth, height


@dataclass(frozen=True)
class VoxelIndex:
    """Distinct voxels of one stride in search order.

    Keys grow with (batch, x, y, z), and a key plus ``x_step``, ``y_step`` or 1 is the key of the next voxel along x, y or
    z, up to :data:`REACH` voxels and without ever meeting a key of another row, column or batch item.
    """

    keys: Int64[Tensor, " voxel"]
    rows: Int64[Tensor, " voxel"] | None
    """Row of each key among the coordinates; None where the coordinates are in key order already."""
    box: Box
    """The voxels that the keys count from, in voxels of the stride."""

    @property
    def x_step(self) -> int:
        """Return what a step along x adds to a key."""
        return self.box.weights[1]

    @property
    def y_step(self) -> int:
        """Return what a step along y adds to a key."""
        return self.box.weights[2]


def box_of(lattice: Int[Tensor, "voxel 4"]) -> Box:
    """Return the box of whole-number coordinates (batch, x, y, z); a GPU is waited for once.

    Raises :class:`ValueError` where the box holds more cells than 63 bits can count.
    """
    if len(lattice) == 0:
        return Box((0, 0, 0, 0), (0, 0, 0, 0))
    (b, x, y, z), (last_b, last_x, last_y, last_z) = torch.stack(torch.aminmax(lattice, dim=0)).tolist()
    return Box((b, x, y, z), (last_b, last_x, last_y, last_z)).check()


def pack_coordinates(lattice: Int[Tensor, "voxel 4"], box: Box) -> Int64[Tensor, " voxel"]:
    """Return keys of whole-number coordinates (batch, x, y, z) that lie in ``box``."""
    batch, x, y, z = lattice.to(torch.int64).unbind(1)
    keys = z - box.low[3]
    for column, low, weight in zip((y, x, batch), box.low[2::-1], box.weights[2::-1], strict=True):
        keys = torch.add(keys, column - low, alpha=weight)
    return keys


def unpack_keys(keys: Int64[Tensor, " voxel"], box: Box) -> Int64[Tensor, "voxel 4"]:
    """Return coordinates (batch, x, y, z) of keys made by :func:`pack_coordinates`."""
    columns = []
    for weight, low in zip(box.weights, box.low, strict=True):
        column = torch.div(keys, weight, rounding_mode="floor")
        keys = keys - column * weight
        columns.append(column + low)
    return torch.stack(columns, dim=1)


def index_voxels(coordinates: Int32[Tensor, "voxel 4"], stride: int) -> VoxelIndex:
    """Return the search order of the voxels of ``stride``, whose x, y and z are multiples of it.

    A GPU sorts always: to ask it if that is needed takes longer. Raises :class:`ValueError` where two rows are the same voxel.
    """
    lattice = _in_voxels(coordinates, stride)
    box = box_of(lattice)
    keys = pack_coordinates(lattice, box)
    if keys.device.type == "cpu" and bool((keys[1:] > keys[:-1]).all()):
        return VoxelIndex(keys, None, box)
    keys, rows = torch.sort(keys)
    twice = int((keys[1:] == keys[:-1]).sum())
    if twice:
        raise ValueError(f"{twice} of {len(keys)} voxel coordinates occur more than once; keep one row a voxel")
    return VoxelIndex(keys, rows, box)


def coarsen(
    coordinates: Int32[Tensor, "voxel 4"], stride: int
) -> tuple[Int32[Tensor, "coarse 4"], Int64[Tensor, " voxel"]]:
    """Return voxels of ``stride`` that hold the given ones, in ascending (batch, x, y, z), and the coarse row of each given one.

    Coordinates are rounded down, below zero too.
    """
    lattice = _in_voxels(coordinates, stride)
    box = box_of(lattice)
    coarse_keys, parents = torch.unique(pack_coordinates(lattice, box), return_inverse=True)
    coarse = unpack_keys(coarse_keys, box)
    coarse[:, 1:] *= stride
    return coarse.to(torch.int32), parents


def coarsen_indexed(
    coordinates: Int32[Tensor, "voxel 4"], stride: int, box: Box
) -> tuple[Int32[Tensor, "coarse 4"], Int64[Tensor, " voxel"], VoxelIndex]:
    """Return what :func:`coarsen` returns and the coarse voxels' search order, waiting for a GPU only once.

    ``coordinates`` are one at least, and lie in ``box`` when they are counted in voxels of ``stride``.
    """
    lattice = _in_voxels(coordinates, stride)
    # 1. keys in ascending order (voxel), and the coarse row that each belongs to (voxel)
    keys, order = torch.sort(pack_coordinates(lattice, box))
    rows = torch.cat([keys.new_zeros(1), (keys[1:] != keys[:-1]).to(torch.int64)]).cumsum(0)
    coarse = int(rows[-1]) + 1
    # 2. that of each given voxel (voxel); coordinates and keys of the coarse ones, whose voxels all write the same
    parents = torch.empty_like(rows).index_copy_(0, order, rows)
    coarse_keys = keys.new_empty(coarse).index_copy_(0, rows, keys)
    corners = lattice.new_empty(coarse, 4).index_copy_(0, rows, lattice.index_select(0, order))
    corners[:, 1:] *= stride
    return corners, parents, VoxelIndex(coarse_keys, None, box)


def _in_voxels(coordinates: Int32[Tensor, "voxel 4"], stride: int) -> Int32[Tensor, "voxel 4"]:
    """Return coordinates counted in voxels of ``stride``; the batch column stays."""
    if stride == 1:
        return coordinates
    voxels = torch.div(coordinates, stride, rounding_mode="floor")
    voxels[:, 0] = coordinates[:, 0]
    return voxels
