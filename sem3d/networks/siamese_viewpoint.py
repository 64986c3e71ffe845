"""SiamVP, SSR's network that tells whether two images show their objects from the same viewpoint (section 3.2).

The paper takes the network of Koch et al. (ICML deep learning workshop 2015); the released ``models.py`` fits it to 64x64.
Beside it the baseline that it is compared with, which tells the viewpoint itself.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import Width
from sem3d.networks.pair_differences import pair_differences
from sem3d.networks.shape_encoder import ShapeEncoder, ShapeEncoderConfig


@dataclass(frozen=True, kw_only=True)
class SiameseViewpointConfig:
    """The trunk, its width, and its first weights."""

    trunk: Literal["koch", "shape_encoder"] = "koch"
    """koch sees RGB. shape_encoder is SoftRas's, of RGBA; the paper found it to generalise less well."""
    width: Width = 64
    """Channels after the trunk's first convolution."""
    dim: Width | None = None
    """Length of the feature; empty: 4,096 for koch and 512 for shape_encoder (as released)."""
    initial: Literal["kaiming", "default"] = "kaiming"
    """kaiming: normal, biases 0 (paper). default: PyTorch's own (released)."""


class KochTrunk(nn.Module):
    """Convolutions of 10, 7 and 4 pixels, each with a ReLU, the first two with pooling; sees the first three channels."""

    def __init__(self, width: int):
        super().__init__()
        self.dim = 2 * width * 7 * 7
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, width, 10),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 7),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 2 * width, 4),
            nn.ReLU(inplace=True),
        )

    def forward(self, images: Float[Tensor, "image channel 64 64"]) -> Float[Tensor, "image {self.dim}"]:
        """Return the last map of each image as one row, at least 0."""
        return self.convolutions(images[:, :3]).flatten(1)


class ViewpointFeatures(nn.Module):
    """A trunk, a linear layer and a sigmoid, and a head of ``answers`` numbers on them."""

    def __init__(self, config: SiameseViewpointConfig, answers: int):
        super().__init__()
        if config.trunk == "koch":
            self.trunk, self.dim = KochTrunk(config.width), config.dim or 4096
        else:
            self.trunk, self.dim = ShapeEncoder(ShapeEncoderConfig(width=config.width)), config.dim or 512
        self.linear = nn.Linear(self.trunk.dim, self.dim)
        self.head = nn.Linear(self.dim, answers)
        if config.initial == "kaiming":
            self.apply(_kaiming)

    def forward(self, images: Float[Tensor, "image 4 64 64"]) -> Float[Tensor, "image {self.dim}"]:
        """Return features in [0, 1] of RGBA images in [0, 1]."""
        return torch.sigmoid(self.linear(self.trunk(images.to(self.linear.weight.dtype))))


class SiameseViewpoint(ViewpointFeatures):
    """Features of images, and the similarity of any two: a linear layer on the absolute difference of their features."""

    def __init__(self, config: SiameseViewpointConfig):
        super().__init__(config, answers=1)

    def similarity(
        self, left: Float[Tensor, "left {self.dim}"], right: Float[Tensor, "right {self.dim}"]
    ) -> Float[Tensor, "left right"]:
        """Return logits that two images have the same viewpoint, for all pairs of features; symmetric, bounded in memory."""
        return pair_differences(left, right, self.head.weight[0]) + self.head.bias


class ViewpointClassifier(ViewpointFeatures):
    """Features of images as :class:`SiameseViewpoint` has them, and a linear layer to the viewpoints."""

    def __init__(self, config: SiameseViewpointConfig, viewpoints: int):
        super().__init__(config, answers=viewpoints)

    def logits(self, features: Float[Tensor, "image {self.dim}"]) -> Float[Tensor, "image viewpoint"]:
        """Return scores of the viewpoints, before a softmax."""
        return self.head(features)


def _kaiming(module: nn.Module) -> None:
    """Initialise as in He et al. 2015, for layers before a ReLU."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
