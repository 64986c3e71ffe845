"""VoteNet above the features of seeds: votes for centres of objects, groups of votes, a proposal of each (arXiv 1904.09664).

Numbers of layers and widths are those of the authors' code (``models/voting_module.py``, ``models/proposal_module.py``); layers
below a batch norm have no bias, which that norm would take away.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import pi
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.bounds import AtLeastOne, Bounds, Metres, Width
from sem3d.networks.batch_norm import GlobalBatchNorm
from sem3d.networks.point_groups import farthest_rows, rows_within, take_rows


@dataclass(frozen=True, kw_only=True)
class VoteNetConfig:
    """Shape of the network above the seeds; the defaults are the authors'."""

    dim: Width = 256
    """Channels of a seed and of a vote."""
    proposals: Annotated[int, Bounds(1, 1 << 14)] = 256
    """Groups of votes, each of which proposes one box; at most as many as seeds."""
    radius: Metres = 0.3
    """Metres within which votes belong to a group."""
    group_votes: AtLeastOne = 16
    """Votes of a group at most."""
    proposal_dim: Width = 128
    """Channels of a group."""


@dataclass(frozen=True)
class Proposals:
    """Answers for the groups of each item; residuals as shares of half a bin's width and of a class's mean size."""

    base: Float[Tensor, "item proposal 3"]
    """Vote in the middle of the group."""
    center: Float[Tensor, "item proposal 3"]
    objectness: Float[Tensor, "item proposal 2"]
    heading_bin: Float[Tensor, "item proposal bin"]
    heading: Float[Tensor, "item proposal bin"]
    size_class: Float[Tensor, "item proposal class"]
    size: Float[Tensor, "item proposal class 3"]
    named: Float[Tensor, "item proposal class"]


def point_layers(*widths: int) -> nn.Sequential:
    """Return layers that each point goes through alone: linear, batch norm, ReLU."""
    return nn.Sequential(
        *(
            layer
            for wide, narrow in pairwise(widths)
            for layer in (nn.Linear(wide, narrow, bias=False), GlobalBatchNorm(narrow), nn.ReLU())
        )
    )


def of_each(layers: nn.Module, features: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape out_dim"]:
    """Apply layers of rows to features of any shape."""
    out = layers(features.reshape(-1, features.shape[-1]))
    return out.reshape(*features.shape[:-1], out.shape[-1])


class Voting(nn.Module):
    """One vote of each seed: its place and feature, moved by what three layers say."""

    def __init__(self, dim: int):
        super().__init__()
        self.layers = point_layers(dim, dim, dim)
        self.last = nn.Linear(dim, 3 + dim)

    def forward(
        self, points: Float[Tensor, "item seed 3"], features: Float[Tensor, "item seed dim"]
    ) -> tuple[Float[Tensor, "item seed 3"], Float[Tensor, "item seed dim"]]:
        """Return places of the votes and their features, of unit length."""
        moved = self.last(of_each(self.layers, features))
        return points + moved[..., :3].to(points.dtype), F.normalize(features + moved[..., 3:], dim=2)


class Proposing(nn.Module):
    """Groups of votes around some that lie far apart, and what each group says of the object there."""

    def __init__(self, config: VoteNetConfig, classes: int, heading_bins: int):
        super().__init__()
        self.config, self.classes, self.bins = config, classes, heading_bins
        width = config.proposal_dim
        self.group_layers = point_layers(3 + config.dim, width, width, width)
        self.layers = point_layers(width, width, width)
        self.last = nn.Linear(width, sum(self.widths()))

    def widths(self) -> tuple[int, ...]:
        """Return how many numbers each answer has, in their order in the last layer."""
        return 2, 3, self.bins, self.bins, self.classes, 3 * self.classes, self.classes

    def forward(self, votes: Float[Tensor, "item vote 3"], features: Float[Tensor, "item vote dim"]) -> Proposals:
        """Return the proposals; gradients reach places of votes too, through where they lie in their group."""
        radius = self.config.radius
        # 1. votes far apart as middles of groups (item proposal 3), and the votes around them (item proposal group)
        base = take_rows(votes, farthest_rows(votes, self.config.proposals))
        rows = rows_within(votes, base, radius, self.config.group_votes)
        # 2. place within the group, in radii, beside the feature (item proposal group 3+dim)
        place = (take_rows(votes, rows) - base[:, :, None]) / radius
        group = torch.cat([place.to(features.dtype), take_rows(features, rows)], dim=3)
        # 3. the largest of each channel over the group (item proposal width)
        found = of_each(self.group_layers, group).amax(dim=2)
        # 4. answers (item proposal numbers), in float32 at least
        numbers = self.last(of_each(self.layers, found))
        parts = numbers.to(torch.promote_types(numbers.dtype, torch.float32)).split(self.widths(), dim=2)
        objectness, offset, heading_bin, heading, size_class, size, named = parts
        return Proposals(
            base=base,
            center=base + offset,
            objectness=objectness,
            heading_bin=heading_bin,
            heading=heading,
            size_class=size_class,
            size=size.unflatten(2, (self.classes, 3)),
            named=named,
        )


def proposed_boxes(found: Proposals, mean_size: Float[Tensor, "class 3"]) -> Float[Tensor, "item proposal 7"]:
    """Return the box of each proposal, of the heading bin and the size class that score highest; no side is negative.

    A bin is as wide as a full turn over the number of bins; the first one is around 0, and where it is the only one boxes lie
    along the axes.
    """
    bins = found.heading.shape[2]
    chosen = found.heading_bin.argmax(2, keepdim=True)
    heading = (2 * chosen + found.heading.gather(2, chosen)) * (pi / bins) if bins > 1 else 0.0 * found.heading
    named = found.size_class.argmax(2)
    residual = found.size.gather(2, named[..., None, None].expand(*named.shape, 1, 3)).squeeze(2)
    size = (mean_size.to(residual)[named] * (1 + residual)).clamp(min=0)
    return torch.cat([found.center, size, heading], dim=2)
