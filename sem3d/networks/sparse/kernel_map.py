"""Kernel maps: which input row meets which output row through which offset of the kernel.

Offset order, shared by all backends and fixed by ``tests/networks/test_sparse_convolution.py``: offset ``k`` of a kernel
``n`` wide is the step ``(k % n, k // n % n, k // n**2)`` along (x, y, z), x fastest, less ``n // 2`` where ``n`` is odd;
steps count in voxels of the finer side. A strided kernel (n = 2) joins a coarse voxel to its eight children, and the
transposed kernel uses the same offset for the same child. This is MinkowskiEngine's order too.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from sem3d.networks.sparse.coordinates import REACH, VoxelIndex


@dataclass(frozen=True)
class PairBlock:
    """The pairs of one run of output rows, sorted by offset and then by output row."""

    start: int
    stop: int
    """The run is output rows start to stop - 1."""
    counts: list[int]
    """Pairs of each offset."""
    sources: Int32[Tensor, " pair"]
    """Input row of each pair."""
    targets: Int32[Tensor, " pair"]
    """Output row of each pair, counted from start."""
    by_target: Int32[Tensor, " pair"]
    """Pair numbers sorted by output row and then by offset."""
    target_starts: Int32[Tensor, " row_plus_one"]
    """Beginning of each output row in ``by_target``; the last entry is the number of pairs."""


@dataclass
class KernelMap:
    """Pairs of a convolution, in blocks of output rows small enough that the pairs of one block stay in cache.

    ``centre`` is the offset that joins each row to itself and is left out of the blocks; None where there is none.
    """

    blocks: list[PairBlock]
    inputs: int
    outputs: int
    centre: int | None
    reverse: "KernelMap" = field(init=False, repr=False)
    """The map from outputs back to inputs; a submanifold map is its own reverse with the offsets in reverse order."""


def submanifold_map(index: VoxelIndex, kernel_size: int, block_rows: int) -> KernelMap:
    """Return the map of an odd kernel from a set of voxels onto the same set (Graham et al., arXiv 1711.10275)."""
    table = neighbour_table(index, kernel_size)
    voxels = len(index.keys)
    kernel_map = KernelMap(_blocks(table, voxels, block_rows), voxels, voxels, len(table) // 2)
    kernel_map.reverse = kernel_map
    return kernel_map


def strided_map(
    fine: Int32[Tensor, "fine 4"], stride: int, parents: Int64[Tensor, " fine"], coarse: int, block_rows: int
) -> KernelMap:
    """Return the map of the 2 x 2 x 2 kernel from voxels of ``stride`` onto the ``coarse`` voxels that hold them.

    ``reverse`` of it is the map of the transposed kernel.
    """
    # 1. which of its parent's eight children each fine voxel is (fine)
    steps = torch.div(fine[:, 1:], stride, rounding_mode="floor").bitwise_and(1).to(torch.int64)
    offsets = steps[:, 0] + 2 * steps[:, 1] + 4 * steps[:, 2]
    # 2. child of each coarse voxel at each offset (8 coarse), and parent of each fine one (8 fine); else the number of rows
    rows = torch.arange(len(fine), dtype=torch.int32, device=fine.device)
    children = torch.full((8, coarse), len(fine), dtype=torch.int32, device=fine.device)
    children[offsets, parents] = rows
    holders = torch.full((8, len(fine)), coarse, dtype=torch.int32, device=fine.device)
    holders[offsets, rows.to(torch.int64)] = parents.to(torch.int32)
    # 3. both tables as pairs
    down = KernelMap(_blocks(children, len(fine), block_rows), len(fine), coarse, None)
    up = KernelMap(_blocks(holders, coarse, block_rows), coarse, len(fine), None)
    down.reverse, up.reverse = up, down
    return down


def neighbour_table(index: VoxelIndex, kernel_size: int) -> Int32[Tensor, "offset voxel"]:
    """Return the row of the neighbour of each voxel at each offset; the number of voxels where there is none, and at the centre.

    One search finds the first voxel of a column of the kernel; the rest of the column follows it in key order. Half of the
    columns are searched, the others mirror them.
    """
    radius = kernel_size // 2
    if kernel_size % 2 == 0 or radius > REACH:
        raise ValueError(f"a submanifold kernel is 1, 3 or {2 * REACH + 1} voxels wide, not {kernel_size}")
    voxels = len(index.keys)
    volume = kernel_size**3
    # 1. ascending keys with an end that nothing equals (voxel + 1), and a table without neighbours (offset voxel)
    keys = torch.cat([index.keys, index.keys.new_full((1,), torch.iinfo(torch.int64).max)])
    places = torch.arange(voxels, dtype=torch.int32, device=keys.device)
    table = torch.full((volume, voxels), voxels, dtype=torch.int32, device=keys.device)
    for x in range(radius + 1):
        for y in range(-radius if x else 0, radius + 1):
            # 2. lowest key of this column of the kernel at each voxel, and the place where it is or would be (voxel)
            first = -radius if x or y else 1
            wanted = index.keys + (x * index.x_step + y * index.y_step + first)
            found = torch.searchsorted(keys, wanted, out_int32=True) if x or y else places + 1
            # 3. upwards in the column: a hit is the neighbour at this offset, and the voxel is its neighbour at the opposite one
            for z in range(first, radius + 1):
                hit = keys.index_select(0, found) == wanted
                offset = ((z + radius) * kernel_size + y + radius) * kernel_size + x + radius
                table[offset] = torch.where(hit, found, voxels)
                here = hit.nonzero().squeeze(1)
                table[volume - 1 - offset].index_copy_(
                    0, found.index_select(0, here).to(torch.int64), here.to(torch.int32)
                )
                found = found + hit
                wanted = wanted + 1
    # 4. rows instead of places (offset voxel)
    return table if index.rows is None else _in_row_order(table, index.rows)


def _in_row_order(table: Int32[Tensor, "offset voxel"], rows: Int64[Tensor, " voxel"]) -> Int32[Tensor, "offset voxel"]:
    """Return the table of key places as a table of rows."""
    voxels = len(rows)
    place_of_row = torch.empty_like(rows)
    place_of_row[rows] = torch.arange(voxels, device=rows.device)
    row_of_place = torch.cat([rows, rows.new_full((1,), voxels)]).to(torch.int32)
    by_row = table.index_select(1, place_of_row)
    return row_of_place.index_select(0, by_row.view(-1)).view_as(by_row)


def _blocks(table: Int32[Tensor, "offset row"], inputs: int, block_rows: int) -> list[PairBlock]:
    """Return pairs of a neighbour table whose entry ``inputs`` means none."""
    rows = table.shape[1]
    return [
        _block(table[:, start : start + block_rows], inputs, start, min(start + block_rows, rows))
        for start in range(0, rows, block_rows)
    ]


def _block(table: Int32[Tensor, "offset row"], inputs: int, start: int, stop: int) -> PairBlock:
    table = table.contiguous()
    # 1. which pairs there are (offset row), and their places in order of offset, then of row (pair)
    present: Bool[Tensor, "offset row"] = table < inputs
    filled = present.view(-1).nonzero().squeeze(1)
    # 2. the number of each pair (offset row), and these numbers in order of row, then of offset (pair)
    numbers = present.view(-1).cumsum(0, dtype=torch.int32).sub_(1).view_as(table)
    by_row = present.t().contiguous()
    filled_by_row = by_row.view(-1).nonzero().squeeze(1)
    row_numbers = numbers.t().contiguous()
    # 3. pairs before each row (row + 1)
    target_starts = torch.zeros(stop - start + 1, dtype=torch.int32, device=table.device)
    torch.cumsum(by_row.sum(1), 0, dtype=torch.int32, out=target_starts[1:])
    return PairBlock(
        start=start,
        stop=stop,
        counts=present.sum(1).tolist(),
        sources=table.view(-1).index_select(0, filled),
        targets=filled.remainder(stop - start).to(torch.int32),
        by_target=row_numbers.view(-1).index_select(0, filled_by_row),
        target_starts=target_starts,
    )
