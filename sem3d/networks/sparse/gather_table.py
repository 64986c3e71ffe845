"""Gather tables: the kernel maps of the Triton backend, made on the device without a wait for it.

A table says for each offset of the kernel and each output row which input row meets it; the offsets' order is that of
:mod:`sem3d.networks.sparse.kernel_map`. Rows that meet the same offsets lie next to each other, in tiles, and a tile skips
the offsets that none of its rows has (the sorted masks of Tang et al., TorchSparse++, arXiv 2311.12862).
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from sem3d.networks.sparse.coordinates import VoxelIndex

TILE = 128
"""Slots that share one list of offsets."""
SEARCHED_AT_ONCE = 1 << 23
"""Neighbours searched in one go, which bounds the memory that the search takes (about 40 bytes each)."""
LONGEST_MASK = 31
"""Offsets whose presence fits a 32-bit mask; rows of wider kernels are not sorted."""


@dataclass
class GatherTable:
    """Input rows that each output row gathers; ``slot`` is a place in the order of the tiles, filled up to whole tiles."""

    sources: Int32[Tensor, "offset slot"]
    """Input row that meets the slot's output row through the offset; -1 where there is none."""
    rows: Int32[Tensor, " slot"]
    """Output row of the slot; the number of output rows where the slot only fills its tile."""
    tile_offsets: Int32[Tensor, "tile offset"]
    """Offsets that a tile has, then the others."""
    tile_counts: Int32[Tensor, " tile"]
    """How many offsets a tile has."""
    offset_tiles: Int32[Tensor, "offset tile"]
    """Tiles that have the offset, then the others."""
    offset_counts: Int32[Tensor, " offset"]
    """How many tiles have the offset."""
    outputs: int
    mirrored: bool
    """Whether ``reverse`` holds the offsets in reverse order."""
    reverse: "GatherTable" = field(init=False, repr=False)
    """The table from outputs back to inputs; that of a submanifold kernel is its own reverse."""


def submanifold_table(index: VoxelIndex, kernel_size: int) -> GatherTable:
    """Return the table of an odd kernel from a set of voxels onto the same set (Graham et al., arXiv 1711.10275)."""
    keys, voxels = index.keys, len(index.keys)
    # 1. what each offset adds to a key (offset)
    along = torch.arange(kernel_size, device=keys.device) - kernel_size // 2
    columns = along[:, None] * index.y_step + along * index.x_step
    steps = (along[:, None, None] + columns).view(-1)
    # 2. the row of each neighbour (offset voxel), voxels in key order, some offsets at a time
    sources = torch.empty(len(steps), voxels, dtype=torch.int32, device=keys.device)
    rows = torch.arange(voxels, device=keys.device) if index.rows is None else index.rows
    for some, found in zip(*(part.split(max(1, SEARCHED_AT_ONCE // voxels)) for part in (steps, sources)), strict=True):
        wanted = keys + some[:, None]
        places = torch.searchsorted(keys, wanted).clamp_(max=voxels - 1)
        found.copy_(torch.where(keys[places] == wanted, rows[places], -1))
    # 3. the same in tiles
    table = _in_tiles(sources, rows, mirrored=True)
    table.reverse = table
    return table


def strided_tables(
    fine: Int32[Tensor, "fine 4"], stride: int, parents: Int64[Tensor, " fine"], coarse: int
) -> tuple[GatherTable, GatherTable]:
    """Return the tables of the 2 x 2 x 2 kernel from voxels of ``stride`` onto the ``coarse`` ones that hold them, and back."""
    # 1. which of its parent's eight children each fine voxel is (fine)
    steps = torch.div(fine[:, 1:], stride, rounding_mode="floor").bitwise_and(1).to(torch.int64)
    offsets = steps[:, 0] + 2 * steps[:, 1] + 4 * steps[:, 2]
    # 2. the child of each coarse voxel at each offset (8 coarse), and the parent of each fine one at its own (8 fine)
    rows = torch.arange(len(fine), device=fine.device)
    children = torch.full((8, coarse), -1, dtype=torch.int32, device=fine.device)
    children[offsets, parents] = rows.to(torch.int32)
    holders = torch.full((8, len(fine)), -1, dtype=torch.int32, device=fine.device)
    holders[offsets, rows] = parents.to(torch.int32)
    # 3. both in tiles
    down = _in_tiles(children, rows[:coarse], mirrored=False)
    up = _in_tiles(holders, rows, mirrored=False)
    down.reverse, up.reverse = up, down
    return down, up


def _in_tiles(sources: Int32[Tensor, "offset row"], rows: Int64[Tensor, " row"], mirrored: bool) -> GatherTable:
    """Return a table of the input row at each offset and output row ``rows``, with alike rows put side by side."""
    volume, outputs = sources.shape
    # 1. rows in the order of the offsets that they have (row); those that have the same keep their order
    if volume <= LONGEST_MASK:
        bits = torch.arange(volume, dtype=torch.int32, device=sources.device)
        masks = ((sources >= 0) << bits[:, None]).sum(0, dtype=torch.int32)
        order = torch.sort(masks, stable=True).indices
        sources, rows = sources.index_select(1, order), rows.index_select(0, order)
    # 2. filled up to whole tiles (offset slot), (slot)
    tiles = -(-outputs // TILE)
    fill = tiles * TILE - outputs
    sources = torch.nn.functional.pad(sources, (0, fill), value=-1)
    slots = torch.nn.functional.pad(rows.to(torch.int32), (0, fill), value=outputs)
    # 3. which tile has which offset (offset tile), and lists of it both ways
    has = (sources.view(volume, tiles, TILE) >= 0).any(2).to(torch.uint8)
    return GatherTable(
        sources=sources,
        rows=slots,
        tile_offsets=_first(has.t()),
        tile_counts=has.sum(0, dtype=torch.int32),
        offset_tiles=_first(has),
        offset_counts=has.sum(1, dtype=torch.int32),
        outputs=outputs,
        mirrored=mirrored,
    )


def _first(has: Tensor) -> Int32[Tensor, "line place"]:
    """Return the places of each line's ones in ascending order, then those of its zeros."""
    return torch.sort(has.contiguous(), dim=1, descending=True, stable=True).indices.to(torch.int32)
