"""A network like PointNet (Qi et al., CVPR 2017) that embeds every point of a cloud, by itself and the cloud as a whole."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import Width


@dataclass(frozen=True, kw_only=True)
class PointNetConfig:
    """Widths; the defaults are PointNet's for segmentation."""

    local: tuple[int, ...] = (64, 64)
    """Of the layers of a point, whose last output is joined with the cloud's."""
    whole: tuple[int, ...] = (128, 1024)
    """Of the layers above, whose greatest outputs over all points describe the cloud."""
    head: tuple[int, ...] = (512, 256)
    """Of the layers that both go through."""
    dim: Width = 256
    """Of the embedding."""
    transform: bool = True
    """A small network turns the points first, and another one their local features."""


def point_layers(*widths: int) -> nn.Sequential:
    """Return linear layers of a point, each normalised over its channels, with rectifiers."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.ReLU()]
    return nn.Sequential(*layers)


class CloudTransform(nn.Module):
    """A square matrix for the features of each cloud, the identity at first."""

    def __init__(self, dim: int, width: int = 64):
        super().__init__()
        self.points = point_layers(dim, width, 2 * width)
        self.matrix = nn.Sequential(point_layers(2 * width, width), nn.Linear(width, dim * dim))
        last = self.matrix[1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, features: Float[Tensor, "item point dim"]) -> Float[Tensor, "item point dim"]:
        """Return the features times their cloud's matrix."""
        dim = features.shape[2]
        matrix = self.matrix(self.points(features).amax(1)).unflatten(1, (dim, dim))
        return features + features @ matrix


class PointNetEmbedding(nn.Module):
    """Embeddings of all points."""

    def __init__(self, config: PointNetConfig):
        super().__init__()
        local, whole = config.local[-1], config.whole[-1]
        self.turn = CloudTransform(3) if config.transform else nn.Identity()
        self.local = point_layers(3, *config.local)
        self.turn_features = CloudTransform(local) if config.transform else nn.Identity()
        self.whole = point_layers(local, *config.whole)
        self.head = point_layers(local + whole, *config.head)
        self.last = nn.Linear((local + whole, *config.head)[-1], config.dim)

    def forward(self, points: Float[Tensor, "item point 3"]) -> Float[Tensor, "item point dim"]:
        """Return the embedding of each point, not normalised."""
        local = self.turn_features(self.local(self.turn(points)))
        whole = self.whole(local).amax(1, keepdim=True).expand(-1, local.shape[1], -1)
        return self.last(self.head(torch.cat([local, whole], dim=2)))
