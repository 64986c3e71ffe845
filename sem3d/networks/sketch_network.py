"""2.5D sketches of an object from a picture: one encoder, and a decoder each for depth, normals and silhouette.

Source: MarrNet-1 as ShapeHD has it (GenRe-ShapeHD ``networks/networks.py``): a U-Net with ResNet18 as its encoder, skips put side
by side. Its decoders are transposed convolutions, ours the up-projections of the house; its head for the least and largest depth
is left out, as the next network sees relative depth.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import Width
from sem3d.networks.batch_norm import with_global_batch_norm
from sem3d.networks.encoders import EncoderName, make_encoder
from sem3d.networks.pixel_heads import PixelHead
from sem3d.networks.upsampling import UpProjection

OUTPUTS = {"depth": 1, "normal": 3, "silhouette": 1}
"""Channels in the order of a sketch."""
SILHOUETTE = 0.3
"""Predicted silhouette from which a pixel is the object's (SemanticTransfer)."""


@dataclass(frozen=True, kw_only=True)
class SketchNetworkConfig:
    """Size of the network."""

    encoder: EncoderName = "resnet18"
    """Encoder of the picture."""
    width: Width = 256
    """Channels after a decoder's first up-projection, halved by each of the three that follow."""


class SketchDecoder(nn.Module):
    """Four up-projections, beside each but the last the encoder's map of that size."""

    def __init__(self, channels: tuple[int, ...], width: int, outputs: int):
        super().__init__()
        widths = [max(width // 2**halvings, 1) for halvings in range(4)]
        joined = [channels[3], *(wide + skipped for wide, skipped in zip(widths, channels[2::-1], strict=False))]
        self.up = nn.ModuleList(UpProjection(*pair) for pair in zip(joined, widths, strict=True))
        self.head = PixelHead(widths[3], outputs)

    def forward(self, maps: tuple[Tensor, ...], size: tuple[int, int]) -> Float[Tensor, "batch channel height width"]:
        """Return the values of all pixels of a picture of ``size``, of the encoder's ``maps`` from the finest on."""
        features = maps[3]
        for up, skipped in zip(self.up[:3], maps[2::-1], strict=True):
            features = torch.cat([up(features, (skipped.shape[-2], skipped.shape[-1])), skipped], 1)
        half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        return self.head(self.up[3](features, half), size)


class SketchNetwork(nn.Module):
    """Depth, normals and silhouette of each pixel; batch normalisation sees the global batch."""

    def __init__(self, config: SketchNetworkConfig):
        super().__init__()
        self.encoder = make_encoder(config.encoder)
        self.decoders = nn.ModuleDict(
            {name: SketchDecoder(self.encoder.channels, config.width, count) for name, count in OUTPUTS.items()}
        )
        with_global_batch_norm(self)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 5 height width"]:
        """Return depth, normals and silhouette, as they come out."""
        image = image.to(next(self.parameters()).dtype, memory_format=torch.channels_last)
        maps, size = self.encoder(image), (image.shape[-2], image.shape[-1])
        return torch.cat([decoder(maps, size) for decoder in self.decoders.values()], 1)


def cleaned(sketch: Float[Tensor, "batch 5 height width"]) -> Float[Tensor, "batch 5 height width"]:
    """Return predicted sketches as true ones are: nothing outside the silhouette, depth from 0 to 1, normals of length 1."""
    inside = (sketch[:, 4:] > SILHOUETTE).to(sketch.dtype)
    normals = sketch[:, 1:4] / sketch[:, 1:4].norm(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.cat([sketch[:, :1].clamp(0, 1), normals, torch.ones_like(inside)], 1) * inside


def layers(*widths: int) -> nn.Sequential:
    """Make linear layers, each but the last normalised over the batch and rectified."""
    made: list[nn.Module] = []
    pairs = list(pairwise(widths))
    for number, (before, after) in enumerate(pairs):
        made.append(nn.Linear(before, after))
        if number < len(pairs) - 1:
            made += [nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*made)
