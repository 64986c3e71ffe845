"""The 2D network of Pri3D: an image encoder and a decoder of up-projections, with skips that are added.

Source: the released ``resunet.py`` (the paper's section 4 only says "U-Net with residual connections").
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import Width
from sem3d.networks.batch_norm import with_global_batch_norm
from sem3d.networks.encoders import make_encoder
from sem3d.networks.upsampling import UpProjection

OUTPUT_DIM = {"resnet18": 32, "resnet50": 128, "efficientnet_lite0": 32}
LIGHT_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class ResidualUNetConfig:
    """The encoder, and the width of the decoder."""

    encoder: Literal["resnet18", "resnet50", "efficientnet_lite0"] = "resnet50"
    """Encoder of the image; the paper's are the ResNets."""
    width: Width | None = None
    """Channels after the first up-projection, halved by each of the three that follow but never below ``dim``; empty: half
    of the encoder's last map for a ResNet (as released: 1024-512-256-128 and 256-128-64-32), 64 for EfficientNet-Lite0."""
    dim: Width | None = None
    """Length of a pixel's feature; empty: 128 for ResNet50 and 32 for ResNet18 (as released), 32 for EfficientNet-Lite0."""


class ResidualUNet(nn.Module):
    """Features of every second pixel of an image.

    Batch normalisation sees the global batch. Where the encoder's map and the decoder's are not equally deep, a 1x1
    convolution without bias fits the skip.
    """

    def __init__(self, config: ResidualUNetConfig, embedding: bool = True):
        """``embedding``: end with the 1x1 layer whose outputs pretraining compares; not where a classifier takes its place."""
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config.encoder)
        released = self.encoder.channels[3] // 2
        width = config.width or (LIGHT_WIDTH if config.encoder == "efficientnet_lite0" else released)
        dim = config.dim or OUTPUT_DIM[config.encoder]
        widths = tuple(max(width // 2**halvings, dim) for halvings in range(4))
        self.dim = dim if embedding else widths[3]
        inputs = (self.encoder.channels[3], *widths[:3])
        self.up = nn.ModuleList(UpProjection(*channels) for channels in zip(inputs, widths, strict=True))
        skips = zip(self.encoder.channels[2::-1], widths[:3], strict=True)
        self.skip = nn.ModuleList(
            nn.Identity() if given == wanted else nn.Conv2d(given, wanted, 1, bias=False) for given, wanted in skips
        )
        self.last = nn.Conv2d(widths[3], dim, 1) if embedding else nn.Identity()
        with_global_batch_norm(self)

    def forward(
        self, image: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch {self.dim} (height+1)//2 (width+1)//2"]:
        """Return raw features (not normalised) at half resolution, rounded up; the view loss acts on these directly.

        Channels come last in memory, in which form convolutions of few channels run faster on a CPU.
        """
        image = image.to(next(self.parameters()).dtype, memory_format=torch.channels_last)
        stride4, stride8, stride16, features = self.encoder(image)
        for up, skip, encoded in zip(self.up[:3], self.skip, (stride16, stride8, stride4), strict=True):
            features = up(features, encoded.shape[-2:]) + skip(encoded)
        half = tuple((length + 1) // 2 for length in image.shape[-2:])
        return self.last(self.up[3](features, half))
