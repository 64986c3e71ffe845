"""Rows of each item that take part in a loss, by their numbers."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor


def valid_rows(valid: Bool[Tensor, "item match"]) -> list[Int64[Tensor, " row"]]:
    """Return the valid rows of each item in ascending order; a GPU is waited for once.

    A mask in their place is counted, and a GPU waited for, at each use, forward and backward.
    """
    order = valid.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    return [rows[:count] for rows, count in zip(order, valid.sum(1).tolist(), strict=True)]
