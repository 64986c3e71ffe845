"""Multi-view auto-encoder of Tatarchenko et al. (1511.06702): one picture of an object and a viewpoint to the picture from there.

Source: lmb-freiburg/mv3d ``nobg_nodm.py``, whose README says that it is not identical to the paper: ten convolutions of which
every second halves the side, a viewpoint of five numbers, fully connected layers of 4096, five transposed convolutions.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne, Width

SLOPE = 0.2
"""Of the leaky rectifiers, below 0."""
GROWTH = (1, 1, 2, 4, 8)
"""Channels at each halving, in widths."""
COARSEST = 4
"""Side of the last map, pixels."""
VIEW_NUMBERS, VIEW_WIDTH = 5, 64
LARGE_KERNELS = 3
"""Halvings whose convolutions have kernels of 5; later ones have 3."""


@dataclass(frozen=True, kw_only=True)
class ViewAutoencoderConfig:
    """Size of the network; the defaults are the released ones, for 128 pixels."""

    width: Width = 32
    """Channels at the first halving."""
    hidden: AtLeastOne = 4096
    """Width of the fully connected layers."""


class ViewAutoencoder(nn.Module):
    """Picture from one viewpoint to features of the picture from another, and to its colours."""

    def __init__(self, config: ViewAutoencoderConfig, side: int):
        """Build for square pictures of ``side`` pixels: 8, 16, 32, 64 or 128."""
        super().__init__()
        halvings = (side // COARSEST).bit_length() - 1
        if side != COARSEST * 2**halvings or not 1 <= halvings <= len(GROWTH):
            raise ValueError(f"pictures of {side} pixels: a side of 8, 16, 32, 64 or 128 can be halved to {COARSEST}")
        widths = [config.width * growth for growth in GROWTH[:halvings]]
        self.channels, self.last_width = widths[-1], config.width
        self.encoder = nn.Sequential(
            *(halved(*pair, level) for level, pair in enumerate(zip([3, *widths], widths, strict=False)))
        )
        flat = widths[-1] * COARSEST**2
        self.flat = dense(flat, config.hidden, 1)
        self.view = dense(VIEW_NUMBERS, VIEW_WIDTH, 3)
        self.joined = nn.Sequential(dense(config.hidden + VIEW_WIDTH, config.hidden, 2), dense(config.hidden, flat, 1))
        up = [*widths[-2::-1], config.width][: halvings - 1]
        self.decoder = nn.Sequential(*(doubled(*pair) for pair in zip([widths[-1], *up], up, strict=False)))
        self.last_width = up[-1] if up else widths[-1]
        self.color = last_layer(self.last_width, 3)

    def features(
        self, picture: Float[Tensor, "batch 3 side side"], view: Float[Tensor, "batch 5"]
    ) -> Float[Tensor, "batch width half half"]:
        """Return what the last transposed convolution makes the picture from ``view`` of."""
        seen = self.flat(self.encoder(picture).flatten(1))
        joined = self.joined(torch.cat([seen, self.view(view)], 1))
        return self.decoder(joined.unflatten(1, (self.channels, COARSEST, COARSEST)))

    def forward(
        self, picture: Float[Tensor, "batch 3 side side"], view: Float[Tensor, "batch 5"]
    ) -> Float[Tensor, "batch 3 side side"]:
        """Return the picture from ``view``, colours in [-1, 1]."""
        return self.color(self.features(picture, view)).tanh()


def viewpoints(world_from_camera: Float[Tensor, "batch 4 4"]) -> Float[Tensor, "batch 5"]:
    """Return distance from the origin, and sine and cosine of elevation and azimuth, of cameras in a world with z up."""
    eye = world_from_camera[:, :3, 3]
    distance, level = eye.norm(dim=1).clamp(min=1e-9), eye[:, :2].norm(dim=1)
    azimuth = torch.atan2(eye[:, 1], eye[:, 0])
    return torch.stack([distance, eye[:, 2] / distance, level / distance, azimuth.sin(), azimuth.cos()], 1)


def halved(inputs: int, outputs: int, level: int) -> nn.Sequential:
    """Make a convolution that halves the side, and one that keeps it."""
    kernel = 5 if level < LARGE_KERNELS else 3
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(outputs, outputs, kernel, 1, kernel // 2),
        nn.LeakyReLU(SLOPE),
    )


def doubled(inputs: int, outputs: int) -> nn.Sequential:
    """Make a transposed convolution that doubles the side, and a convolution that keeps it."""
    return nn.Sequential(
        last_layer(inputs, outputs), nn.LeakyReLU(SLOPE), nn.Conv2d(outputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)
    )


def last_layer(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Make a transposed convolution that doubles the side, without anything after it: a linear layer."""
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1)


def dense(inputs: int, outputs: int, layers: int) -> nn.Sequential:
    """Make fully connected layers, each rectified."""
    widths = [inputs, *[outputs] * layers]
    pairs = pairwise(widths)
    return nn.Sequential(*(part for pair in pairs for part in (nn.Linear(*pair), nn.LeakyReLU(SLOPE))))
