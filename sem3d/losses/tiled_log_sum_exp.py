"""Log-sum-exp of the rows and columns of a matrix of similarities that is never held whole."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = {"cpu": 1 << 19}
"""Numbers of a tile: few on a CPU, for its cache, and many on a GPU, for fewer launches."""
GPU_TILE = 1 << 25


def row_tiles(rows: int, columns: int, device: torch.device) -> Iterator[slice]:
    """Yield the rows of a matrix in runs whose part of it is one tile."""
    step = max(1, TILE.get(device.type, GPU_TILE) // max(columns, 1))
    return (slice(start, start + step) for start in range(0, rows, step))


def tiled_log_sum_exp(
    left: Float[Tensor, "row dim"], right: Float[Tensor, "column dim"], scale: float, *, both: bool
) -> tuple[Float[Tensor, " row"], Float[Tensor, " column"] | None]:
    """Return ``logsumexp(scale * left @ right.T)`` over each row and, where ``both``, over each column.

    The gradient makes each tile anew instead of keeping it: one product of matrices more, and memory of a few tiles.
    """
    rows, columns = _TiledLogSumExp.apply(left, right, scale, both)
    return rows, columns if both else None


class _TiledLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, scale: float, both: bool) -> tuple[Tensor, Tensor]:
        rows = left.new_empty(len(left))
        columns = right.new_full((len(right) if both else 0,), -torch.inf)
        for part in row_tiles(len(left), len(right), left.device):
            logits = (left[part] * scale) @ right.T
            if both:
                columns = torch.logaddexp(columns, logits.logsumexp(0))
            highest = logits.amax(1, keepdim=True)
            rows[part] = logits.sub_(highest).exp_().sum(1).log_() + highest[:, 0]
        ctx.save_for_backward(left, right, rows, columns)
        ctx.scale, ctx.both = scale, both
        return rows, columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_rows: Tensor, by_columns: Tensor) -> tuple[Tensor, Tensor, None, None]:
        left, right, rows, columns = ctx.saved_tensors
        to_left, to_right = torch.empty_like(left), torch.zeros_like(right)
        for part in row_tiles(len(left), len(right), left.device):
            scaled = left[part] * ctx.scale
            logits = scaled @ right.T
            # d logsumexp / d logit is the softmax, of its row and of its column (row column)
            share = (logits - columns).exp_().mul_(by_columns) if ctx.both else None
            weight = logits.sub_(rows[part, None]).exp_().mul_(by_rows[part, None])
            if share is not None:
                weight += share
            torch.mul(weight @ right, ctx.scale, out=to_left[part])
            to_right.addmm_(weight.T, scaled)
        return to_left, to_right, None, None
