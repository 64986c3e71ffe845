"""U-Net of Semantic SRN's baselines, after Isola et al. (pix2pix), with a stride-1 convolution beside each that changes the size.

Source: supplement 5 and Figure 2; SSRN ``models.py``: 64 channels, doubled by each halving up to 512, 7 halvings of 128 pixels.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne, ShareBelowOne, Width
from sem3d.networks.batch_norm import with_global_batch_norm

SLOPE = 0.2
"""Of the leaky rectifiers, below 0."""


@dataclass(frozen=True, kw_only=True)
class ViewUNetConfig:
    """Size of the network; the defaults are the paper's."""

    width: Width = 64
    """Channels at full size."""
    widest: Width = 512
    """Most channels."""
    halvings: AtLeastOne = 7
    """Of the side of the picture, which must divide by 2 to their number."""
    dropout: ShareBelowOne = 0.1
    """Share of the channels that are left out after each change of size."""


class ViewUNet(nn.Module):
    """Values of every pixel of a picture; batch normalisation sees the global batch."""

    def __init__(self, config: ViewUNetConfig, inputs: int, outputs: int):
        super().__init__()
        self.config, self.inputs, self.outputs = config, inputs, outputs
        widths = [min(config.width * 2**level, config.widest) for level in range(config.halvings + 1)]
        pairs = list(pairwise(widths))
        self.first = same_size(inputs, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(
                same_size(above, below), resized(nn.Conv2d(below, below, 4, 2, 1, bias=False), below, config.dropout)
            )
            for above, below in pairs
        )
        self.up = nn.ModuleList(
            resized(nn.ConvTranspose2d(below, above, 4, 2, 1, bias=False), above, config.dropout)
            for above, below in pairs
        )
        self.joined = nn.ModuleList(same_size(2 * above, above) for above, _ in pairs)
        self.last = nn.Conv2d(widths[0], outputs, 3, padding=1)
        with_global_batch_norm(self)

    def forward(
        self, picture: Float[Tensor, "batch {self.inputs} height width"]
    ) -> Float[Tensor, "batch {self.outputs} height width"]:
        """Return the values of the pixels; raises :class:`ValueError` for a picture whose side cannot be halved so often."""
        if any(side % 2**self.config.halvings for side in picture.shape[-2:]):
            raise ValueError(f"pictures of {tuple(picture.shape[-2:])} cannot be halved {self.config.halvings} times")
        features, skipped = self.first(picture.to(memory_format=torch.channels_last)), []
        for down in self.down:
            skipped.append(features)
            features = down(features)
        for level in reversed(range(self.config.halvings)):
            features = self.joined[level](torch.cat([self.up[level](features), skipped[level]], 1))
        return self.last(features)

    def answer(self, outputs: int) -> None:
        """Have so many values a pixel, with new weights."""
        self.outputs, old = outputs, self.last
        self.last = nn.Conv2d(old.in_channels, outputs, 3, padding=1, device=old.weight.device, dtype=old.weight.dtype)


def same_size(inputs: int, outputs: int) -> nn.Sequential:
    """Make a 3 x 3 convolution, normalised and rectified."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE)
    )


def resized(convolution: nn.Module, outputs: int, dropout: float) -> nn.Sequential:
    """Make a convolution that halves or doubles the side, normalised, rectified, and some of its channels left out."""
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE), nn.Dropout2d(dropout))
