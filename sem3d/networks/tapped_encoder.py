"""Chosen maps of an image encoder, and their values at single pixels: the 2D side of a transfer from pixels to points."""

from typing import Literal

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.errors import UserError
from sem3d.geometry.constant import constant
from sem3d.networks.cell_centres import CellGrid, cell_grids
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

    def grids(self, size: tuple[int, int]) -> tuple[CellGrid, ...]:
        """Return where the cells of the tapped maps look, for images of ``size`` (height, width); in eval."""
        found = cell_grids(self.encoder, STRIDES, size)
        return tuple(found[place] for place in self.tapped)


def values_at_pixels(
    features: Float[Tensor, "image dim rows columns"],
    pixels: Num[Tensor, "image pixel 2"],
    grid: CellGrid,
    upsampling: Upsampling = "bilinear",
) -> Float[Tensor, "image pixel dim"]:
    """Return values at pixels (u, v), which may lie between two, of maps whose cells look where ``grid`` says; float32 or more.

    ``bilinear``: between the four cells around, as in the map upsampled to the image's size, without making it: 4096 pixels of
    a 480 x 640 image need a 75th of its memory; beyond the outermost cells, theirs. ``none``: those of the nearest cell.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    cells = (pixels.to(features.dtype) - constant(grid.first, features)) / grid.stride
    places = (2 * cells + 1) / constant(features.shape[:-3:-1], features) - 1
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
        self, maps: tuple[Tensor, ...], pixels: Num[Tensor, "image pixel 2"], grids: tuple[CellGrid, ...]
    ) -> Float[Tensor, "image pixel dim"]:
        """Return projected features of pixels (u, v), from maps whose cells look where their ``grids`` say. Not normalised."""
        answers = [
            values_at_pixels(project(features), pixels, grid, self.upsampling)
            for project, features, grid in zip(self.projections, maps, grids, strict=True)
        ]
        return sum(answers[1:], answers[0])
