import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from sem3d.errors import UserError
from sem3d.networks.cell_centres import CellGrid
from sem3d.networks.tapped_encoder import TappedEncoder, UpsamplingProjection, values_at_pixels

SIZE = (33, 44)
BLOCKS = CellGrid((5.0, 5.0), 11)
"""Three rows and four columns of cells, each in the middle of a block of pixels of an image of that size."""


def every_pixel() -> torch.Tensor:
    v, u = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    return torch.stack([u, v], dim=2).reshape(1, -1, 2)


def test_cells_in_the_middle_of_their_blocks_give_the_values_of_the_upsampled_map():
    features = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    whole = F.interpolate(features, SIZE, mode="bilinear", align_corners=False)
    found = values_at_pixels(features, every_pixel().expand(2, -1, 2), BLOCKS)
    assert_close(found, whole.flatten(2).transpose(1, 2))


def test_a_map_of_its_cells_centres_gives_each_pixel_its_place():
    grid = CellGrid((-3.0, 2.5), 7)
    columns, rows = torch.arange(9, dtype=torch.float64), torch.arange(6, dtype=torch.float64)
    features = torch.stack(torch.meshgrid(2.5 + 7 * rows, -3 + 7 * columns, indexing="ij")).flip(0)[None]
    pixels = torch.tensor([[[0, 3], [44, 30], [17, 20]]])
    assert_close(values_at_pixels(features, pixels, grid), pixels.double())
    beyond = torch.tensor([[[100, 0]]])
    assert_close(values_at_pixels(features, beyond, grid), torch.tensor([[[53, 2.5]]], dtype=torch.float64))


def test_without_upsampling_a_pixel_has_the_value_of_the_nearest_cell():
    features = torch.randn(1, 3, 3, 4, dtype=torch.float64)
    found = values_at_pixels(features, every_pixel(), BLOCKS, "none")
    u, v = every_pixel()[0].T
    assert_close(found[0], features[0, :, v // 11, u // 11].T)


def test_gradcheck_of_values_at_pixels():
    features = torch.randn(1, 2, 3, 4, dtype=torch.float64).requires_grad_()
    pixels = every_pixel()[:, ::97]
    torch.autograd.gradcheck(lambda maps: values_at_pixels(maps, pixels, CellGrid((3.0, -2.0), 9)), features)


def test_the_projection_of_two_maps_is_one_convolution_of_both_side_by_side():
    maps = (torch.randn(1, 5, *SIZE, dtype=torch.float64), torch.randn(1, 7, 3, 4, dtype=torch.float64))
    layer = UpsamplingProjection((5, 7), 4).double()
    upsampled = [F.interpolate(one, SIZE, mode="bilinear", align_corners=False) for one in maps]
    weight = torch.cat([one.weight for one in layer.projections], dim=1)
    whole = F.conv2d(torch.cat(upsampled, dim=1), weight, layer.projections[0].bias)
    grids = (CellGrid((0.0, 0.0), 1), BLOCKS)
    assert_close(layer(maps, every_pixel(), grids), whole.flatten(2).transpose(1, 2))


def test_the_maps_of_the_strides_asked_for_come_in_their_order():
    network = TappedEncoder("efficientnet_lite0", (32, 8)).eval()
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, *SIZE))
    assert [tuple(one.shape[1:]) for one in maps] == [(320, 2, 2), (40, 5, 6)]
    assert network.channels == (320, 40)
    assert [grid.stride for grid in network.grids(SIZE)] == [32, 8]


@pytest.mark.parametrize("strides", [(), (2,), (32, 32)])
def test_layers_that_no_encoder_has_are_refused(strides):
    with pytest.raises(UserError, match="strides"):
        TappedEncoder("efficientnet_lite0", strides)
