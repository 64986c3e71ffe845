"""The only doorway to Triton: sparse convolution on a GPU as products of gathered rows, one launch a convolution.

float16 and bfloat16 operands are multiplied as they are, float32 ones as ``torch.backends.cuda.matmul`` says: in TF32 where
it allows it, else in three TF32 products, whose error is that of float32. All sums are float32 and have a fixed order.
"""

import importlib
import os
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from sem3d.errors import UserError, one_line
from sem3d.networks.sparse.gather_table import TILE, GatherTable, strided_tables, submanifold_table
from sem3d.networks.sparse.tensor import CoordinatePyramid, SparseTensor

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
PROGRAMS = 132
"""Programs below which a launch leaves multiprocessors of a large GPU idle."""
OLDEST = (8, 0)
"""Compute capability from which on GPUs multiply bfloat16 and TF32."""


@cache
def engine() -> ModuleType | None:
    """Return the kernels, or None where Triton cannot be imported."""
    try:
        return importlib.import_module("sem3d.networks.sparse.triton_kernels")
    except ImportError:
        return None


def interpreted() -> bool:
    """Return whether kernels run in Triton's interpreter, on a CPU: ``TRITON_INTERPRET=1``, set before they are imported."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def refusal(features: Tensor) -> str | None:
    """Return the reason why these features cannot be convolved here, or None."""
    if features.dtype not in DTYPES:
        return f"it has no products in {str(features.dtype).removeprefix('torch.')}"
    if not features.is_cuda and not interpreted():
        return "the input is not on a GPU"
    if features.is_cuda and torch.cuda.get_device_capability(features.device) < OLDEST:
        return "the GPU is older than compute capability 8.0"
    return _trouble(features.is_cuda)


@cache
def _trouble(on_gpu: bool) -> str | None:
    kernels = engine()
    if kernels is None:
        return "Triton cannot be imported"
    if on_gpu:
        try:
            kernels.reach_driver()
        except Exception as error:  # whatever a missing C compiler, Python header or driver makes of it
            return f"it cannot reach the GPU ({type(error).__name__}: {one_line(str(error))})"
    return None


def convolve(
    tensor: SparseTensor, weight: Float[Tensor, "offset dim_in dim_out"], kernel_size: int, target_stride: int
) -> Float[Tensor, "output dim_out"]:
    """Convolve onto the voxels of ``target_stride``, in their row order, in the precision of autocast where it is on.

    Raises :class:`UserError` where :func:`refusal` finds a reason.
    """
    features = tensor.features
    if reason := refusal(features):
        raise UserError(f"backend 'triton': {reason}; use backend 'auto'")
    device = features.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
    return _Convolve.apply(
        features, weight, gather_table(tensor.pyramid, kernel_size, tensor.stride, target_stride), precision
    )


def gather_table(pyramid: CoordinatePyramid, kernel_size: int, stride: int, target_stride: int) -> GatherTable:
    """Return the table of a kernel from voxels of ``stride`` onto those of ``target_stride``, made once an input."""
    tables: dict[tuple[int, int, int], GatherTable] = pyramid.attachments.setdefault("triton", {})
    key = (kernel_size, stride, target_stride)
    if key not in tables:
        if stride == target_stride:
            tables[key] = submanifold_table(pyramid.index(stride), kernel_size)
        else:
            fine = min(stride, target_stride)
            parents, coarse = pyramid.parents(fine), len(pyramid.coordinates(2 * fine))
            down, up = strided_tables(pyramid.coordinates(fine), fine, parents, coarse)
            tables[kernel_size, fine, 2 * fine], tables[kernel_size, 2 * fine, fine] = down, up
    return tables[key]


class _Convolve(torch.autograd.Function):
    """The gradient of the features is the product of the output's gradient and the transposed weight over the reverse table."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, table: GatherTable, precision: torch.dtype) -> Tensor:
        rows, matrices = features.to(precision).contiguous(), weight.to(precision).contiguous()
        ctx.save_for_backward(rows, matrices)
        ctx.table, ctx.dtypes = table, (features.dtype, weight.dtype)
        return _product(rows, matrices, table, transposed=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        rows, matrices = ctx.saved_tensors
        gradient = gradient.to(rows.dtype).contiguous()
        to_features, to_weight = None, None
        if ctx.needs_input_grad[0]:
            to_features = _product(gradient, matrices, ctx.table.reverse, transposed=True).to(ctx.dtypes[0])
        if ctx.needs_input_grad[1]:
            to_weight = _outer(rows, gradient, ctx.table).to(ctx.dtypes[1])
        return to_features, to_weight, None, None


class _Shape(NamedTuple):
    """Sizes of a program's piece of the result, of its steps, and how it runs."""

    across: int
    down: int
    step: int
    warps: int
    stages: int


def _product(features: Tensor, weight: Tensor, table: GatherTable, transposed: bool) -> Tensor:
    """Return the sum over offsets of gathered rows times the offset's matrix, or its transpose."""
    volume, dim_in, dim_out = weight.shape
    in_stride, out_stride = dim_out, 1
    first, step = 0, 1
    if transposed:
        dim_in, dim_out, in_stride, out_stride = dim_out, dim_in, 1, dim_out
        if table.mirrored:
            first, step = volume - 1, -1
    result = features.new_empty(table.outputs, dim_out)
    shape = _product_shape(len(table.tile_counts), dim_in, dim_out, features.dtype)
    grid = (-(-dim_out // shape.across), table.sources.shape[1] // shape.down)
    _kernels().gather_product[grid](
        features,
        weight,
        result,
        table.sources,
        table.rows,
        table.tile_offsets,
        table.tile_counts,
        table.sources.shape[1],
        table.outputs,
        volume,
        dim_in,
        dim_out,
        first,
        step,
        in_stride,
        out_stride,
        TILE=TILE,
        BLOCK_M=shape.down,
        BLOCK_N=shape.across,
        BLOCK_K=shape.step,
        PRECISION=_precision(features.dtype),
        num_warps=shape.warps,
        num_stages=shape.stages,
    )
    return result


def _outer(features: Tensor, gradient: Tensor, table: GatherTable) -> Tensor:
    """Return the sum over each offset's pairs of an input row times a row of the gradient: (offset, dim_in, dim_out), float32."""
    volume, tiles = table.offset_tiles.shape
    dim_in, dim_out = features.shape[1], gradient.shape[1]
    shape = _outer_shape(dim_in, dim_out, features.dtype)
    pieces = (-(-dim_in // shape.down), -(-dim_out // shape.across))
    splits = max(1, min(4 * PROGRAMS // (volume * pieces[0] * pieces[1]), tiles // 2))
    parts = torch.empty(splits, volume, dim_in, dim_out, dtype=torch.float32, device=features.device)
    _kernels().gather_outer[(volume * splits, *pieces)](
        features,
        gradient,
        parts,
        table.sources,
        table.rows,
        table.offset_tiles,
        table.offset_counts,
        table.sources.shape[1],
        tiles,
        volume,
        dim_in,
        dim_out,
        splits,
        TILE=TILE,
        BLOCK_P=shape.step,
        BLOCK_C=shape.down,
        BLOCK_N=shape.across,
        PRECISION=_precision(features.dtype),
        num_warps=shape.warps,
        num_stages=shape.stages,
    )
    return parts[0] if splits == 1 else parts.sum(0)


def _product_shape(tiles: int, dim_in: int, dim_out: int, dtype: torch.dtype) -> _Shape:
    wide = dtype == torch.float32
    step = _fitting(dim_in, 32 if wide else 64)
    across = _fitting(dim_out, 64 if wide else 128)
    if tiles * -(-dim_out // across) < PROGRAMS:
        return _Shape(min(across, 64), 64, step, 4, 4)
    return _Shape(across, TILE, step, 8 if across == 128 else 4, 4)


def _outer_shape(dim_in: int, dim_out: int, dtype: torch.dtype) -> _Shape:
    wide = dtype == torch.float32
    return _Shape(_fitting(dim_out, 64 if wide else 128), _fitting(dim_in, 64), 32 if wide else 64, 4, 4)


def _fitting(channels: int, most: int) -> int:
    """Return the least power of two that holds the channels, from 16, the least that tensor cores take, up to ``most``."""
    return min(most, max(16, 1 << (channels - 1).bit_length()))


def _precision(dtype: torch.dtype) -> str:
    """Return how float32 operands are multiplied; others are multiplied as they are."""
    return "tf32" if dtype != torch.float32 or torch.backends.cuda.matmul.fp32_precision == "tf32" else "tf32x3"


def _kernels() -> ModuleType:
    module = engine()
    assert module is not None  # refusal() has looked
    return module
