"""Chosen maps of an image encoder, and their values at single pixels: the 2D side of a transfer from pixels to points."""

from typing import Literal

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.errors import UserError
from sem3d.networks.encoders import EncoderName, make_encoder

STRIDES = (4, 8, 16, 32)
Upsampling = Literal["bilinear", "none"]


class TappedEncoder(nn.Module):
    """An image encoder that gives its maps at the ``strides`` asked for, in that order.

    Raises :class:`UserError` for a stride that no map has, and for none at all.
    """

    def __init__(self, name: EncoderName, strides: tuple[int, ...]):
        super().__init__()
        if not strides or not set(strides) <= set(STRIDES) or len(set(strides)) < len(strides):
            raise UserError(f"tapped layers {strides}: name some of the strides {STRIDES}, each once")
        self.encoder = make_encoder(name)
        self.tapped = tuple(STRIDES.index(stride) for stride in strides)
        self.channels = tuple(self.encoder.channels[place] for place in self.tapped)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, ...]:
        """Return a map (batch, channels, rows, columns) of each tapped stride."""
        maps = self.encoder(image.to(next(self.parameters()).dtype))
        return tuple(maps[place] for place in self.tapped)


def values_at_pixels(
    features: Float[Tensor, "image dim rows columns"],
    pixels: Num[Tensor, "image pixel 2"],
    size: tuple[int, int],
    upsampling: Upsampling = "bilinear",
) -> Float[Tensor, "image pixel dim"]:
    """Return values at pixels (u, v), which may lie between two, of images of ``size`` (height, width); float32 at least.

    ``bilinear``: those of the map upsampled to ``size`` by the project's pixel rule, without making it: 4096 pixels of a
    480 x 640 image need a 75th of its memory. ``none``: those of the cell that holds the pixel.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    span = torch.tensor(size[::-1], device=features.device)
    places = (2 * pixels.to(features.dtype) + 1) / span - 1
    mode = "bilinear" if upsampling == "bilinear" else "nearest"
    found = F.grid_sample(features, places[:, None], mode=mode, padding_mode="border", align_corners=False)
    return found[:, :, 0].transpose(1, 2)


class UpsamplingProjection(nn.Module):
    """PPKT's upsampling projection layer: a 1x1 convolution, then bilinear upsampling, at single pixels.

    Of several maps, the layer is that of all of them side by side, brought to one size first: a 1x1 convolution and an
    interpolation may change places, so each map has a convolution of its own and the answers are added.
    """

    def __init__(self, channels: tuple[int, ...], dim: int, upsampling: Upsampling = "bilinear"):
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(depth, dim, 1, bias=number == 0) for number, depth in enumerate(channels)
        )
        self.upsampling: Upsampling = upsampling

    def forward(
        self, maps: tuple[Tensor, ...], pixels: Num[Tensor, "image pixel 2"], size: tuple[int, int]
    ) -> Float[Tensor, "image pixel dim"]:
        """Return projected features of pixels (u, v) of images of ``size``. Not normalised."""
        answers = [
            values_at_pixels(project(features), pixels, size, self.upsampling)
            for project, features in zip(self.projections, maps, strict=True)
        ]
        return sum(answers[1:], answers[0])
