import pytest
import torch

from sem3d.networks.view_unet import ViewUNet, ViewUNetConfig


def test_the_papers_network_halves_128_pixels_to_one_and_has_the_channels_of_its_figure():
    with torch.device("meta"):
        network = ViewUNet(ViewUNetConfig(), 4, 6)
        assert network(torch.empty(2, 4, 128, 128)).shape == (2, 6, 128, 128)
    channels = [down[1][0].out_channels for down in network.down]
    assert channels == [128, 256, 512, 512, 512, 512, 512]
    assert [up[0].out_channels for up in network.up] == [64, 128, 256, 512, 512, 512, 512]


def test_every_parameter_learns_and_the_innermost_place_is_reached():
    torch.manual_seed(0)
    network = ViewUNet(ViewUNetConfig(width=2, widest=4, halvings=3, dropout=0.0), 3, 5).eval()
    picture = torch.rand(2, 3, 16, 16, requires_grad=True)
    network(picture)[:, 0, 0, 0].sum().backward()
    assert all(value.grad is not None for value in network.parameters())
    assert picture.grad is not None
    assert (picture.grad.abs().sum(1) > 0).float().mean() > 0.9


def test_dropout_leaves_out_whole_channels_in_training_only():
    network = ViewUNet(ViewUNetConfig(width=4, widest=4, halvings=1, dropout=0.5), 3, 2)
    picture = torch.rand(2, 3, 8, 8)
    assert not torch.equal(network(picture), network(picture))
    network.eval()
    assert torch.equal(network(picture), network(picture))


def test_a_picture_that_cannot_be_halved_so_often_is_refused():
    with pytest.raises(ValueError, match="cannot be halved 3 times"):
        ViewUNet(ViewUNetConfig(width=2, halvings=3), 3, 2)(torch.rand(1, 3, 12, 16))
