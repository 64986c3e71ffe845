"""VoteNet's losses (arXiv 1904.09664, section 4.3 and appendix; the authors' ``models/loss_helper.py``).

Each is a sum and the number it is divided by, for :func:`sem3d.losses.segmentation.global_mean`: means are over seeds on objects,
over proposals that lie clearly on or off an object, over proposals on one, or over objects. The authors add 1e-6 to the numbers;
here a mean of nothing is 0, and keeps the graph.
"""

from dataclasses import dataclass
from math import inf, pi

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from sem3d.geometry.constant import constant

NEAR, FAR = 0.3, 0.6
"""Metres from the nearest centre of an object, below which a proposal is one and above which it is none."""
OBJECTNESS_WEIGHTS = (0.2, 0.8)
"""Of proposals off and on objects."""
Summed = tuple[Float[Tensor, ""], Float[Tensor, ""]]


@dataclass(frozen=True)
class Matches:
    """Objects that proposals are held to."""

    object: Int[Tensor, "item proposal"]
    """Row of the nearest object of the item."""
    positive: Bool[Tensor, "item proposal"]
    """On an object."""
    clear: Bool[Tensor, "item proposal"]
    """On an object or clearly off all."""


def vote_loss(
    votes: Float[Tensor, "item seed 3"],
    targets: Float[Tensor, "item seed choice 3"],
    valid: Bool[Tensor, "item seed choice"],
) -> Summed:
    """Return the sum of the distances, along the axes, from each vote to the nearest of its valid targets, and how many votes
    have any.
    """
    apart = (votes[:, :, None] - targets).abs().sum(3).masked_fill(~valid, inf).amin(2)
    counted = valid.any(2)
    return apart.masked_fill(~counted, 0).sum(), counted.sum().to(votes.dtype)


@torch.no_grad()
def matched(
    base: Float[Tensor, "item proposal 3"], centers: Float[Tensor, "item object 3"], valid: Bool[Tensor, "item object"]
) -> Matches:
    """Return what each proposal is held to, by the distance of its middle from the centres of the item's valid objects."""
    apart = squared(base, centers).masked_fill(~valid[:, None], inf)
    nearest, number = apart.min(2)
    return Matches(number, nearest < NEAR**2, (nearest < NEAR**2) | (nearest > FAR**2))


def objectness_loss(scores: Float[Tensor, "item proposal 2"], matches: Matches) -> Summed:
    """Return weighted cross entropy of being on an object, summed over the clear proposals, and their number."""
    weight = constant(OBJECTNESS_WEIGHTS, scores)
    cost = F.cross_entropy(scores.flatten(0, 1), matches.positive.flatten().long(), weight, reduction="none")
    clear = matches.clear.flatten()
    return cost.masked_fill(~clear, 0).sum(), clear.sum().to(scores.dtype)


def center_losses(
    centers: Float[Tensor, "item proposal 3"],
    objects: Float[Tensor, "item object 3"],
    valid: Bool[Tensor, "item object"],
    matches: Matches,
) -> tuple[Summed, Summed]:
    """Return squared distances from proposals on objects to the nearest object, and from objects to the nearest proposal."""
    apart = squared(centers, objects)
    to_object = apart.masked_fill(~valid[:, None], inf).amin(2).masked_fill(~matches.positive, 0)
    to_proposal = apart.amin(1).masked_fill(~valid, 0)
    return (
        (to_object.sum(), matches.positive.sum().to(centers.dtype)),
        (to_proposal.sum(), valid.sum().to(centers.dtype)),
    )


def class_loss(
    scores: Float[Tensor, "item proposal class"], truth: Int[Tensor, "item object"], matches: Matches
) -> Summed:
    """Return cross entropy of what an object is, summed over the proposals on one, and their number."""
    wanted = truth.gather(1, matches.object).clamp(min=0)
    cost = F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
    return cost.masked_fill(~matches.positive, 0).sum(), matches.positive.sum().to(scores.dtype)


def residual_loss(
    residuals: Float[Tensor, "item proposal class dim"],
    named: Int[Tensor, "item object"],
    truth: Float[Tensor, "item object dim"],
    matches: Matches,
) -> Summed:
    """Return Huber's loss (delta 1, mean over ``dim``) of the residual of the object's own class or bin, summed over the
    proposals on one, and their number.
    """
    own = named.gather(1, matches.object).clamp(min=0)[..., None, None]
    found = residuals.gather(2, own.expand(-1, -1, -1, residuals.shape[3])).squeeze(2)
    wanted = truth.gather(1, matches.object[..., None].expand_as(found)).to(found.dtype)
    cost = F.huber_loss(found, wanted, reduction="none").mean(2)
    return cost.masked_fill(~matches.positive, 0).sum(), matches.positive.sum().to(found.dtype)


def heading_targets(
    heading: Float[Tensor, "item object"], bins: int
) -> tuple[Int[Tensor, "item object"], Float[Tensor, "item object"]]:
    """Return the bin of each heading, the first one around 0, and where it lies there, from -1 to 1."""
    half = pi / bins
    turned = torch.remainder(heading + half, 2 * pi)
    number = (turned / (2 * half)).long().clamp(max=bins - 1)
    return number, turned / half - (2 * number + 1)


def size_targets(
    size: Float[Tensor, "item object 3"], named: Int[Tensor, "item object"], mean_size: Float[Tensor, "class 3"]
) -> Float[Tensor, "item object 3"]:
    """Return how much larger an object is than its class, as shares of the class's mean size."""
    usual = mean_size.to(size.dtype)[named.clamp(min=0)]
    return size / usual - 1


def squared(
    first: Float[Tensor, "item first 3"], second: Float[Tensor, "item second 3"]
) -> Float[Tensor, "item first second"]:
    """Return squared distances between points of each item."""
    return (first[:, :, None] - second[:, None].to(first.dtype)).square().sum(3)
