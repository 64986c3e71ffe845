"""The pair loss of SSR's viewpoint network: cross entropy on balanced pairs, and on the hardest of each kind (Eq. 2)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

PairChoice = Literal["all", "distinct_positives", "distinct"]
"""Pairs that count: all (released); positives of different objects only (the paper's section 3.2); no pair of one object."""


def viewpoint_pair_loss(
    logits: Float[Tensor, "image image"],
    viewpoints: Int[Tensor, " image"],
    objects: Int[Tensor, " image"],
    generator: torch.Generator | None = None,
    *,
    choice: PairChoice = "distinct_positives",
    draws: int = 32,
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of ``draws`` random negatives and as many positives, plus the hardest of each over ``draws``.

    ``logits[i, j]`` says how likely i and j have the same viewpoint; entries with i < j are read. A positive is a pair of
    equal ``viewpoints``, and is hardest where its logit is lowest, a negative where it is highest. Draws are with
    replacement and take the same numbers from ``generator`` (CPU; None is torch's own) whatever the batch; the released
    ``losses.py`` takes probabilities instead of logits. Without positives, or negatives, their part is a zero that keeps
    the graph. Computed in float32 or wider.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    pairs = [kind.nonzero().unbind(1) for kind in _pairs(viewpoints, objects, choice)]
    places = torch.rand(2, draws, dtype=torch.float64, generator=generator)
    loss = logits[:0].sum()
    for sign, pair, place in zip((-1, 1), pairs, places, strict=True):
        costs = F.softplus(sign * logits[pair])
        if len(costs):
            drawn = (place * len(costs)).long().to(costs.device, non_blocking=True)
            loss = loss + costs[drawn].mean() + costs.max() / draws
    return loss


def viewpoint_pair_counts(
    logits: Float[Tensor, "row image"],
    viewpoints: Int[Tensor, " image"],
    objects: Int[Tensor, " image"],
    choice: PairChoice = "distinct_positives",
    first: int = 0,
) -> Int[Tensor, "2 2"]:
    """Count positives and negatives (rows): those told right by the sign of their logit, and all.

    ``logits`` may be some rows of the matrix of all pairs, from the row ``first`` on; counts of parts of it add up. The gate of a
    pseudo-labelling pass is :func:`balanced_accuracy` of them.
    """
    positive, negative = _pairs(viewpoints, objects, choice, slice(first, first + len(logits)))
    right = torch.stack([((logits > 0) & positive).sum(), ((logits < 0) & negative).sum()])
    return torch.stack([right, torch.stack([positive.sum(), negative.sum()])], dim=1)


def balanced_accuracy(counts: Int[Tensor, "2 2"]) -> float:
    """Return the mean share of positives and of negatives that are told right; NaN, which passes no gate, without either."""
    return float(mean_share(counts))


def mean_share(counts: Int[Tensor, "2 2"]) -> Float[Tensor, ""]:
    """Return what :func:`balanced_accuracy` does without a wait for a GPU."""
    right, pairs = counts.double().unbind(1)
    return (right / pairs).mean()


def _pairs(
    viewpoints: Int[Tensor, " image"],
    objects: Int[Tensor, " image"],
    choice: PairChoice,
    rows: slice = slice(None),
) -> tuple[Bool[Tensor, "row image"], Bool[Tensor, "row image"]]:
    """Return positives and negatives among some ``rows`` of all pairs, each pair once (row < column)."""
    if choice not in ("all", "distinct_positives", "distinct"):
        raise ValueError(f"no choice {choice!r} of pairs; there are all, distinct_positives, distinct")
    same = viewpoints[rows, None] == viewpoints
    distinct = objects[rows, None] != objects
    once = torch.ones_like(same).triu(1 + (rows.start or 0))
    positive, negative = once & same, once & ~same
    if choice != "all":
        positive = positive & distinct
    if choice == "distinct":
        negative = negative & distinct
    return positive, negative
