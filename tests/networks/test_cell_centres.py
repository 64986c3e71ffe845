"""Where cells look: closed forms of padding and kernels, and images that say at each pixel where it is."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sem3d.networks.cell_centres import cell_grids, first_centres
from sem3d.networks.encoders import make_encoder
from sem3d.networks.tapped_encoder import STRIDES, values_at_pixels

EVEN, ODD = 1024, 1057


def one_way_padding(length):
    """First centres of EfficientNet, all of whose five kernels of stride 2 are padded behind where their input is even."""
    first, step, found = 0, 1, []
    for _ in range(5):
        first += step * (length % 2 == 0)
        length, step = (length + 1) // 2, 2 * step
        found.append(float(first))
    return found[1:]


def symmetric(name):
    """An encoder in eval whose kernels are symmetric along both axes."""
    torch.manual_seed(0)
    encoder = make_encoder(name).double().eval().requires_grad_(False)
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            for axis in (2, 3):
                module.weight.copy_((module.weight + module.weight.flip(axis)) / 2)
    return encoder


@pytest.mark.parametrize(
    ("name", "lengths"), [("efficientnet_lite0", (EVEN, 44)), ("resnet18", (EVEN,))], ids=["lite0", "resnet18"]
)
def test_symmetric_kernels_look_at_the_middle_of_their_window_and_see_the_same_mirrored_about_it(name, lengths):
    encoder = symmetric(name)
    for length in lengths:
        centres = first_centres(encoder, STRIDES, length, 0)
        expected = one_way_padding(length) if name == "efficientnet_lite0" else [0.0] * 4
        assert_close(centres, expected, rtol=0, atol=1e-6)
        sees_the_same_mirrored(encoder, [round(first) for first in centres], EVEN + length % 32)


def sees_the_same_mirrored(encoder, firsts, width):
    """Compare a cell of each map with that of the image mirrored about the cell's centre."""
    image = torch.randn(1, 3, 1, width, dtype=torch.float64)
    for place, (first, stride) in enumerate(zip(firsts, STRIDES, strict=True)):
        cell = round(500 / stride)
        centre = first + stride * cell
        reach = min(centre, width - 1 - centre)
        mirrored = image.clone()
        mirrored[..., centre - reach : centre + reach + 1] = image[..., centre - reach : centre + reach + 1].flip(3)
        ours, theirs = (encoder(each)[place][0, :, 0, cell] for each in (image, mirrored))
        assert ours.std() > 0
        assert_close(ours, theirs)


class Chain(nn.Module):
    """Two kernels of one channel and stride 2, padded by one pixel, as a map of stride 4."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 1, 3, 2, 1), nn.BatchNorm2d(1), nn.ReLU(), nn.Conv2d(1, 1, 3, 2, 1))

    def forward(self, image):
        return (self.layers(image),)


def test_uneven_kernels_pull_the_centre_to_their_heavier_side():
    chain = Chain().eval().requires_grad_(False)
    for place in (0, 3):
        chain.layers[place].weight[..., 2] *= 2
        chain.layers[place].weight[..., 0, :] *= 3
    first, second = (chain.layers[place].weight.double().square().sum((0, 1)) for place in (0, 3))
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    (found,) = cell_grids(chain, (4,), (64, 96))
    for axis in range(2):
        lean = [float((kernel.sum(axis) * steps).sum() / kernel.sum()) for kernel in (first, second)]
        assert abs(lean[0]) > 0.1
        assert_close(found.first[axis], lean[0] + 2 * lean[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "width"), [("efficientnet_lite0", EVEN), ("efficientnet_lite0", ODD), ("resnet18", EVEN)]
)
def test_features_of_an_image_of_pixel_numbers_say_their_pixel_also_once_it_is_mirrored(name, width):
    encoder = make_encoder(name).double().eval().requires_grad_(False)
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.fill_(1 / module.weight[0].numel())
    if name == "resnet18":
        encoder.maxpool = nn.AvgPool2d(3, 2, 1)  # the mean of the window whose largest value max pooling takes
    number = torch.arange(width, dtype=torch.float64)
    lines = 1e-30 * torch.stack([torch.ones_like(number), number, number.flip(0)])
    maps = encoder(lines[:, None, None].expand(-1, 3, 1, -1))
    pixels = torch.tensor([[466, 0], [491, 0], [550, 0]])
    mirrored = torch.tensor([width - 1, 0]) - pixels
    for map_, grid in zip(maps, cell_grids(encoder, STRIDES, (1, width)), strict=True):
        ones, forwards, _ = values_at_pixels(map_, pixels.expand(3, -1, -1), grid)[..., 0]
        same, _, backwards = values_at_pixels(map_, mirrored.expand(3, -1, -1), grid)[..., 0]
        assert_close(forwards / ones, pixels[:, 0].double(), rtol=0, atol=1e-6)
        assert_close(backwards / same, pixels[:, 0].double(), rtol=0, atol=1e-6)
