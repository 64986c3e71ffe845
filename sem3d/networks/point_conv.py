"""PointConv (Wu et al., CVPR 2019) for every point of a cloud: convolution whose weights are a network of relative positions.

A point's features of its neighbours are weighted by a small network of where they lie, and by the inverse of the density there,
so that a crowd does not outvote a lonely neighbour. Levels of fewer points widen what is seen; their features come back to the
points by interpolation between three. All neighbours are found once for a cloud, before training.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from sem3d.networks.point_groups import farthest_rows, take_rows
from sem3d.networks.point_net import point_layers

NEAREST = 3
"""Points of a coarser level that a point's features are interpolated between."""


@dataclass(frozen=True)
class CloudLevel:
    """One level of clouds of as many points each, and its neighbours."""

    points: Float[Tensor, "item point 3"]
    groups: Int[Tensor, "item point group"]
    """Rows of the finer level (of itself, for the finest) around each point."""
    offsets: Float[Tensor, "item point group 3"]
    """Where those lie from the point, in units of the group's radius."""
    densities: Float[Tensor, "item point group"]
    """Inverse density there, at most 1."""
    nearest: Int[Tensor, "item finer_point 3"]
    """Rows of this level that are nearest to each point of the finer level."""
    shares: Float[Tensor, "item finer_point 3"]
    """Weights of these, by inverse distance."""


@torch.no_grad()
def cloud_levels(
    points: Float[Tensor, "item point 3"], sizes: tuple[int, ...], group: int, bandwidth: float = 0.1
) -> list[CloudLevel]:
    """Return levels of clouds, all points first, then ``sizes`` points that are far from each other.

    ``bandwidth`` is that of the Gaussians that the density is estimated with, doubled at each level.
    """
    levels, finer = [], points
    for number, size in enumerate((points.shape[1], *sizes)):
        own = finer if number == 0 else take_rows(finer, farthest_rows(finer, size))
        apart = torch.cdist(own, finer)
        distances, groups = apart.topk(min(group, finer.shape[1]), dim=2, largest=False)
        radius = distances[..., -1:].clamp(min=1e-6)
        offsets = (take_rows(finer, groups) - own[:, :, None]) / radius[..., None]
        crowd = torch.exp(-0.5 * (torch.cdist(finer, finer) / (bandwidth * 2**number)).square()).mean(2)
        inverse = crowd.amin(dim=1, keepdim=True) / crowd
        far, nearest = apart.mT.topk(min(NEAREST, size), dim=2, largest=False)
        shares = 1 / far.clamp(min=1e-6)
        shares = shares / shares.sum(2, keepdim=True)
        levels.append(CloudLevel(own, groups, offsets, take_rows(inverse, groups), nearest, shares))
        finer = own
    return levels


class PointConvolution(nn.Module):
    """One convolution over groups of points."""

    def __init__(self, channels: int, out: int, weights: int = 8):
        super().__init__()
        self.features = point_layers(channels + 3, out)
        self.weights = point_layers(3, weights, weights)
        self.density = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
        self.out = point_layers(out * weights, out)

    def forward(
        self, features: Float[Tensor, "item finer_point dim"], level: CloudLevel
    ) -> Float[Tensor, "item point out"]:
        """Return features of the level's points."""
        around = torch.cat([take_rows(features, level.groups), level.offsets], dim=3)
        scaled = self.features(around) * self.density(level.densities[..., None])
        mixed = torch.einsum("ipgc,ipgw->ipcw", scaled, self.weights(level.offsets))
        return self.out(mixed.flatten(2) / level.groups.shape[2])


class PointConvEmbedding(nn.Module):
    """Features of every point of a cloud: convolutions over ever fewer points, and back."""

    def __init__(self, dim: int = 128, widths: tuple[int, ...] = (32, 64, 128)):
        super().__init__()
        before = (3, *widths[:-1])
        self.down = nn.ModuleList(PointConvolution(*pair) for pair in zip(before, widths, strict=True))
        self.up = nn.ModuleList(
            point_layers(finer + coarser, finer)
            for finer, coarser in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True)
        )
        self.last = nn.Sequential(nn.Linear(widths[0] + 3, dim), nn.LayerNorm(dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, levels: list[CloudLevel]) -> Float[Tensor, "item point dim"]:
        """Return the embedding of each point of the finest level."""
        maps, features = [], levels[0].points
        for convolution, level in zip(self.down, levels, strict=True):
            features = convolution(features, level)
            maps.append(features)
        for number, merge in enumerate(self.up):
            level, finer = levels[-1 - number], maps[-2 - number]
            came = (take_rows(features, level.nearest) * level.shares[..., None]).sum(2)
            features = merge(torch.cat([finer, came], dim=2))
        return self.last(torch.cat([features, levels[0].points], dim=2))


def keypoint_cross_entropy(
    logits: Float[Tensor, "item point meaning"], points: Int[Tensor, "item meaning"]
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of telling each marked point's meaning, its column; -1 marks nothing."""
    items, meanings = (points >= 0).nonzero(as_tuple=True)
    return F.cross_entropy(logits[items, points[items, meanings]], meanings)
