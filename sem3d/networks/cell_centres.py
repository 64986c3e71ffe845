"""Pixels at which the cells of an image network's maps look.

A cell sees a window of pixels. Its centre is where the network's padding and its weights put it, not in the middle of the block
of pixels that the cell would cover: at stride 32, symmetric padding (ResNet) centres the window of cell i at pixel 32 i, and
padding behind (EfficientNet, of a side that 32 divides) at 32 i + 31; kernels that learnt from mirrored images lean back
towards 32 i + 15.5, which those of ImageNet's EfficientNet-Lite0 reach to 3 pixels. Features that are sampled elsewhere belong
to other pixels, and on the other side once the image is mirrored.

The centre is measured here: the centroid, over pixels, of the squared gradient of a cell, in expectation over the signs of all
that reaches it. Squares add up along every path, so a network of squared weights, without biases, carries them: for an image of
ones it gives the sum of the squares, for an image of pixel numbers their first moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.func import functional_call

LENGTH = 1024
"""Pixels of the line that is measured on: its middle sees no border, the widest window being 851 pixels."""
PERIOD = 32
"""Lengths of an image's side that differ by a multiple of this are padded alike."""
SMALL = 1e-30
"""Value of the pixels, which keeps all activations linear: ReLU6 is below 6."""


@dataclass(frozen=True)
class CellGrid:
    """Centres of a map's cells: that of column j and row i is (u, v) = ``first + stride * (j, i)``, in pixels of the image."""

    first: tuple[float, float]
    stride: int


@torch.no_grad()
def cell_grids(network: nn.Module, strides: Sequence[int], size: tuple[int, int]) -> tuple[CellGrid, ...]:
    """Return the grid of each map that ``network``, in eval, gives of images of ``size`` (height, width).

    ``strides`` are those of the maps. The network consists of convolutions, BatchNorm, rectifiers and max pooling.
    """
    height, width = size
    columns, rows = (first_centres(network, strides, length, axis) for axis, length in enumerate((width, height)))
    return tuple(CellGrid((u, v), stride) for u, v, stride in zip(columns, rows, strides, strict=True))


def first_centres(network: nn.Module, strides: Sequence[int], length: int, axis: int) -> list[float]:
    """Return the pixel at the centre of the first cell of each map, along u (``axis`` 0) or v (1) of ``length`` pixels.

    Not clipped by the image's border.
    """
    # 1. lines of ones, of pixel numbers and of the same backwards (line 3 1 pixel): max pooling takes the larger of its pixels,
    #    so their mean is free of its steps
    pixel = torch.arange(LENGTH + length % PERIOD, dtype=torch.float64)
    lines = SMALL * torch.stack([torch.ones_like(pixel), pixel, pixel.flip(0)])
    image = lines[:, None, None].expand(-1, 3, 1, -1)
    # 2. sums of squares and first moments of the middle cell of each map (line)
    centres = []
    for map_, stride in zip(functional_call(network, squared(network, axis), image), strides, strict=True):
        cell = map_.shape[3] // 2
        total, forwards, backwards = map_.sum(dim=(1, 2))[:, cell]
        centres.append(float((forwards - backwards) / total + len(pixel) - 1) / 2 - stride * cell)
    return centres


def squared(network: nn.Module, axis: int) -> dict[str, Float64[Tensor, "..."]]:
    """Return tensors by name that have ``network`` carry squares along lines of pixels: kernels summed over the other axis."""
    tensors = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            kernel = module.weight.double().cpu().square()
            kernel = kernel if axis == 0 else kernel.mT
            line = torch.zeros_like(kernel)
            line[:, :, kernel.shape[2] // 2] = kernel.sum(2)
            tensors[f"{name}.weight"] = line
            if module.bias is not None:
                tensors[f"{name}.bias"] = torch.zeros_like(module.bias, dtype=torch.float64, device="cpu")
        elif isinstance(module, nn.BatchNorm2d):
            weight, variance = module.weight.double().cpu(), module.running_var
            assert variance is not None
            nothing = torch.zeros_like(weight)
            tensors[f"{name}.weight"] = weight.square() / (variance.double().cpu() + module.eps)
            tensors |= {f"{name}.bias": nothing, f"{name}.running_mean": nothing}
            tensors[f"{name}.running_var"] = nothing + 1 - module.eps
    return tensors
