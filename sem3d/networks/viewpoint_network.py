"""Azimuth and polar angle of the camera in bins, from a picture or from 2.5D sketches (2D-3D-2D, section 4.3).

An image encoder and fully connected layers, 512-256-128 as SemanticTransfer's, whose encoder predicts sketches beside and whose
layers see its last map by a convolution; here they see its mean.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.geometry.viewpoint_bins import AZIMUTH, POLAR
from sem3d.networks.batch_norm import with_global_batch_norm
from sem3d.networks.encoders import EncoderName, make_encoder
from sem3d.networks.input_channels import see_channels
from sem3d.networks.sketch_network import layers


@dataclass(frozen=True, kw_only=True)
class ViewpointNetworkConfig:
    """Size of the network."""

    encoder: EncoderName = "resnet18"
    """Encoder of the picture."""
    hidden: tuple[int, ...] = (512, 256, 128)
    """Widths of the fully connected layers."""


class ViewpointNetwork(nn.Module):
    """Scores of the bins of both angles."""

    def __init__(self, config: ViewpointNetworkConfig, channels: int):
        super().__init__()
        self.encoder = make_encoder(config.encoder)
        if channels != 3:
            see_channels(self.encoder, channels)
        self.head = layers(self.encoder.channels[3], *config.hidden, AZIMUTH.count + POLAR.count)
        with_global_batch_norm(self)

    def forward(
        self, seen: Float[Tensor, "batch channel height width"]
    ) -> tuple[Float[Tensor, "batch 24"], Float[Tensor, "batch 12"]]:
        """Return scores of azimuth and of the polar angle."""
        maps = self.encoder(seen.to(next(self.parameters()).dtype, memory_format=torch.channels_last))
        scores = self.head(maps[3].mean((2, 3)))
        return scores[:, : AZIMUTH.count], scores[:, AZIMUTH.count :]
