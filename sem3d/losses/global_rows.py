"""Rows of all workers as one matrix, for losses that compare every item of the global batch with every other."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool, Shaped
from torch import Tensor


def global_rows(rows: Shaped[Tensor, "item *shape"]) -> Shaped[Tensor, "global_item *shape"]:
    """Return ``rows`` of every worker, by rank; all must have the same number of them, and every worker must call this.

    A loss that every worker computes alike from the result gets, after data parallelism has averaged the gradients over
    workers, the gradient of one process that has all items: for what comes before ``rows`` and for what comes after.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    return _GlobalRows.apply(rows)


def evenly(kept: int, of: int, rows: int) -> Bool[Tensor, " item"]:
    """Return which of this worker's ``rows`` stay where ``kept`` of every ``of`` global rows do, as evenly as can be."""
    rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
    places = torch.arange(rank * rows, (rank + 1) * rows)
    return (places + 1) * kept // of > places * kept // of


class _GlobalRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.items = len(rows)
        gathered = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        first = dist.get_rank() * ctx.items
        return gradient[first : first + ctx.items] * dist.get_world_size()
