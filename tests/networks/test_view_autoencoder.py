import math

import pytest
import torch
from torch.testing import assert_close

from sem3d.networks.view_autoencoder import ViewAutoencoder, ViewAutoencoderConfig, viewpoints


def test_the_released_network_has_its_layers_and_a_feature_map_of_half_the_side():
    with torch.device("meta"):
        network = ViewAutoencoder(ViewAutoencoderConfig(), 128)
        features = network.features(torch.empty(2, 3, 128, 128), torch.empty(2, 5))
        assert network(torch.empty(2, 3, 128, 128), torch.empty(2, 5)).shape == (2, 3, 128, 128)
    assert features.shape == (2, 32, 64, 64)
    encoder = [(part.out_channels, part.kernel_size[0]) for block in network.encoder for part in block[::2]]
    assert [width for width, _ in encoder] == [32, 32, 32, 32, 64, 64, 128, 128, 256, 256]
    assert [kernel for _, kernel in encoder] == [5] * 6 + [3] * 4
    assert [block[0].out_channels for block in network.decoder] == [128, 64, 32, 32]
    assert network.flat[0].weight.shape == (4096, 4096)


@pytest.mark.parametrize("side", [8, 16, 64])
def test_smaller_pictures_have_fewer_halvings(side: int):
    network = ViewAutoencoder(ViewAutoencoderConfig(width=2, hidden=6), side)
    found = network(torch.rand(2, 3, side, side), torch.rand(2, 5))
    assert found.shape == (2, 3, side, side)
    found.sum().backward()
    assert all(value.grad is not None for value in network.parameters())


def test_a_side_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="48 pixels"):
        ViewAutoencoder(ViewAutoencoderConfig(), 48)


def test_viewpoints_are_distance_elevation_and_azimuth():
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[0, :3, 3] = torch.tensor([0.0, -2.0, 0.0])
    poses[1, :3, 3] = torch.tensor([1.0, 1.0, math.sqrt(2.0)])
    half = math.sqrt(0.5)
    assert_close(viewpoints(poses), torch.tensor([[2.0, 0, 1, -1, 0], [2.0, half, half, half, half]]))
