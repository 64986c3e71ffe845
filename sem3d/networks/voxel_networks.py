"""Networks of solid shapes on a grid: the decoder of a vector, the completion of 2.5D sketches, and the critic of ShapeHD.

Source: GenRe-ShapeHD ``networks/networks.py`` and ``models/wgangp.py``: transposed convolutions with kernels of 4 that double the
side from 4 on, 512-256-128-64-32-1 channels for 128; the critic mirrors them, without batch normalisation, as its penalty is of
single shapes.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne, Width
from sem3d.errors import UserError
from sem3d.networks.batch_norm import GlobalBatchNorm, with_global_batch_norm
from sem3d.networks.encoders import EncoderName, make_encoder
from sem3d.networks.input_channels import see_channels

COARSEST = 4
"""Side of the first grid."""
SLOPE = 0.2
"""Of the critic's leaky rectifiers, below 0."""
SKETCH_INPUTS = 4
"""Channels of a sketch that the completion sees: depth and normals, which are 0 outside the silhouette."""


@dataclass(frozen=True, kw_only=True)
class VoxelDecoderConfig:
    """Size of a decoder."""

    latent: AtLeastOne = 200
    """Numbers that a shape is made of."""
    width: Width = 512
    """Channels of the first grid, halved at each doubling of the side."""


@dataclass(frozen=True, kw_only=True)
class CompletionConfig:
    """Size of the completion of sketches."""

    encoder: EncoderName = "resnet18"
    """Encoder of the sketches."""
    decoder: VoxelDecoderConfig = field(default_factory=VoxelDecoderConfig)
    """Decoder of the shape."""


def doublings(side: int) -> int:
    """Return how often a grid of side 4 is doubled to ``side``; raises :class:`UserError` for a side that is not met."""
    count = (side // COARSEST).bit_length() - 1
    if side != COARSEST * 2**count or count < 1:
        raise UserError(f"data.voxels {side}: choose 8, 16, 32, 64 or 128, which doubling {COARSEST} leads to")
    return count


class VolumeNorm(GlobalBatchNorm):
    """Batch normalisation of grids over the global batch."""

    def forward(self, features: Float[Tensor, "batch dim x y z"]) -> Float[Tensor, "batch dim x y z"]:
        """Normalise each channel."""
        return super().forward(features.flatten(2)[..., None]).view_as(features)


class VoxelDecoder(nn.Module):
    """A vector to the logits of a grid's voxels."""

    def __init__(self, config: VoxelDecoderConfig, side: int):
        super().__init__()
        widths = [max(config.width // 2**number, 1) for number in range(doublings(side))]
        self.width = config.width
        self.first = nn.Linear(config.latent, config.width * COARSEST**3)
        self.norm = VolumeNorm(config.width)
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.ConvTranspose3d(before, after, 4, 2, 1, bias=False), VolumeNorm(after), nn.ReLU(inplace=True)]
        self.steps = nn.Sequential(*steps, nn.ConvTranspose3d(widths[-1], 1, 4, 2, 1))

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch x y z"]:
        """Return logits."""
        grid = self.first(latent).unflatten(1, (self.width, COARSEST, COARSEST, COARSEST))
        return self.steps(torch.relu(self.norm(grid)))[:, 0]


class CompletionNetwork(nn.Module):
    """Sketches of one view to the whole shape in its canonical pose."""

    def __init__(self, config: CompletionConfig, side: int):
        super().__init__()
        self.encoder = make_encoder(config.encoder)
        see_channels(self.encoder, SKETCH_INPUTS)
        self.latent = nn.Linear(self.encoder.channels[3], config.decoder.latent)
        self.decoder = VoxelDecoder(config.decoder, side)
        with_global_batch_norm(self)

    def forward(self, sketch: Float[Tensor, "batch 5 height width"]) -> Float[Tensor, "batch x y z"]:
        """Return logits of the voxels."""
        seen = sketch[:, :SKETCH_INPUTS].to(self.latent.weight.dtype, memory_format=torch.channels_last)
        return self.decoder(self.latent(self.encoder(seen)[3].mean((2, 3))))


class ShapeCritic(nn.Module):
    """Grids to one number each: how natural a shape is."""

    def __init__(self, width: int, side: int):
        super().__init__()
        widths = [1, *(width * 2**number for number in range(doublings(side)))]
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Conv3d(before, after, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        self.steps = nn.Sequential(*steps, nn.Conv3d(widths[-1], 1, COARSEST, bias=False))

    def forward(self, voxels: Float[Tensor, "batch x y z"]) -> Float[Tensor, " batch"]:
        """Return a score of each shape, larger for more natural ones."""
        return self.steps(voxels[:, None]).flatten()
