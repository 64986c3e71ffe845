"""Two Triton kernels of sparse convolution over a gather table; imported by ``triton_backend`` only, when it is first needed.

Each program owns a piece of the result and adds in a fixed order, so the same input gives the same bits. Channels and
rows are arguments at run time: a network of many widths compiles few kernels.
"""

from typing import no_type_check

import triton
import triton.language as tl


def reach_driver() -> None:
    """Build and load what launches kernels, once; raises whatever a host without a C compiler or a driver makes of it."""
    triton.runtime.driver.active.get_current_target()


@triton.jit(do_not_specialize=["outputs", "volume", "first_offset"])
@no_type_check
def gather_product(
    features,
    weight,
    result,
    sources,
    rows,
    tile_offsets,
    tile_counts,
    slots,
    outputs,
    volume,
    dim_in,
    dim_out,
    first_offset,
    offset_step,
    in_stride,
    out_stride,
    TILE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Store, for the output rows of BLOCK_M slots, the sum over offsets k of features[source at k] @ weight[first + step * k].

    ``weight`` is addressed by strides, so that its transpose needs no copy.
    """
    # 1. slots (BLOCK_M) and output channels (BLOCK_N) of this program
    begin = tl.program_id(1) * BLOCK_M
    tile = begin // TILE
    slot = begin + tl.arange(0, BLOCK_M)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    # 2. offsets that the tile has, times pieces of the input channels, as one loop that can be pipelined
    pieces = (dim_in + BLOCK_K - 1) // BLOCK_K
    total = tl.full((BLOCK_M, BLOCK_N), 0.0, tl.float32)
    for step in range(0, tl.load(tile_counts + tile) * pieces):
        offset = tl.load(tile_offsets + tile * volume + step // pieces).to(tl.int64)
        channel = step % pieces * BLOCK_K + tl.arange(0, BLOCK_K)
        source = tl.load(sources + offset * slots + slot)
        left = tl.load(
            features + source.to(tl.int64)[:, None] * dim_in + channel[None, :],
            mask=(source >= 0)[:, None] & (channel < dim_in)[None, :],
            other=0.0,
        )
        matrix = weight + (first_offset + offset * offset_step) * dim_in * dim_out
        right = tl.load(
            matrix + channel[:, None] * in_stride + column[None, :] * out_stride,
            mask=(channel < dim_in)[:, None] & (column < dim_out)[None, :],
            other=0.0,
        )
        total = tl.dot(left, right, total, input_precision=PRECISION)
    # 3. to the slots' output rows
    row = tl.load(rows + slot)
    tl.store(
        result + row.to(tl.int64)[:, None] * dim_out + column[None, :],
        total.to(result.dtype.element_ty),
        mask=(row < outputs)[:, None] & (column < dim_out)[None, :],
    )


@triton.jit(do_not_specialize=["volume", "splits"])
@no_type_check
def gather_outer(
    features,
    gradient,
    result,
    sources,
    rows,
    offset_tiles,
    offset_counts,
    slots,
    tiles,
    volume,
    dim_in,
    dim_out,
    splits,
    TILE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_N: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Store a split's part of the sum, over the pairs of one offset, of features[source]^T gradient[row]: (dim_in, dim_out)."""
    # 1. offset, split, input channels (BLOCK_C) and output channels (BLOCK_N) of this program
    offset = (tl.program_id(0) // splits).to(tl.int64)
    split = tl.program_id(0) % splits
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    column = tl.program_id(2) * BLOCK_N + tl.arange(0, BLOCK_N)
    # 2. every splits-th run of BLOCK_P slots in the tiles that have the offset
    runs: tl.constexpr = TILE // BLOCK_P
    total = tl.full((BLOCK_C, BLOCK_N), 0.0, tl.float32)
    for run in range(split, tl.load(offset_counts + offset) * runs, splits):
        tile = tl.load(offset_tiles + offset * tiles + run // runs)
        slot = tile * TILE + run % runs * BLOCK_P + tl.arange(0, BLOCK_P)
        source = tl.load(sources + offset * slots + slot)
        row = tl.load(rows + slot)
        there = (source >= 0)[:, None]
        left = tl.load(
            features + source.to(tl.int64)[:, None] * dim_in + channel[None, :],
            mask=there & (channel < dim_in)[None, :],
            other=0.0,
        )
        right = tl.load(
            gradient + row.to(tl.int64)[:, None] * dim_out + column[None, :],
            mask=there & (column < dim_out)[None, :],
            other=0.0,
        )
        total = tl.dot(tl.trans(left), right, total, input_precision=PRECISION)
    # 3. to the split's matrix of the offset
    matrix = result + (split.to(tl.int64) * volume + offset) * dim_in * dim_out
    tl.store(
        matrix + channel[:, None] * dim_out + column[None, :],
        total,
        mask=(channel < dim_in)[:, None] & (column < dim_out)[None, :],
    )
