"""SoftRas's image encoder: one vector of an object's shape from one 64x64 image (``examples/recon/models.py``)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import Width
from sem3d.networks.batch_norm import with_global_batch_norm


@dataclass(frozen=True, kw_only=True)
class ShapeEncoderConfig:
    """Width and normalisation of the encoder."""

    width: Width = 64
    """Channels after the first convolution, doubled by each of the two that follow."""
    hidden: Width = 1024
    """Length of the two hidden layers."""
    dim: Width = 512
    """Length of the feature."""
    batch_norm: bool = False
    """Normalise after each convolution, over the global batch: SoftRas does, SSR does not."""


class ShapeEncoder(nn.Module):
    """Three 5x5 convolutions of stride 2 and three linear layers, each followed by a ReLU, the last one too."""

    def __init__(self, config: ShapeEncoderConfig):
        super().__init__()
        self.dim = config.dim
        layers: list[nn.Module] = []
        for given, wanted in pairwise((4, *_widths(config))):
            layers += [nn.Conv2d(given, wanted, 5, stride=2, padding=2)]
            layers += [nn.BatchNorm2d(wanted)] if config.batch_norm else []
            layers += [nn.ReLU(inplace=True)]
        self.convolutions = nn.Sequential(*layers)
        lengths = (_widths(config)[-1] * 8 * 8, config.hidden, config.hidden, config.dim)
        self.linear = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(lengths))
        with_global_batch_norm(self)

    @property
    def dtype(self) -> torch.dtype:
        """Return the type of the weights."""
        return next(self.linear.parameters()).dtype

    def forward(self, images: Float[Tensor, "batch 4 64 64"]) -> Float[Tensor, "batch {self.dim}"]:
        """Return features, at least 0, of RGBA images in [0, 1]."""
        features = self.convolutions(images.to(self.dtype)).flatten(1)
        for layer in self.linear:
            features = torch.relu(layer(features))
        return features


def _widths(config: ShapeEncoderConfig) -> tuple[int, int, int]:
    return config.width, 2 * config.width, 4 * config.width
