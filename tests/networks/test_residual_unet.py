import pytest
import torch
from torch import nn

from sem3d.networks.batch_norm import GlobalBatchNorm
from sem3d.networks.encoders import make_encoder
from sem3d.networks.pixel_heads import PixelHead
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig
from sem3d.networks.upsampling import UpProjection

ENCODERS = ("resnet18", "resnet50", "efficientnet_lite0")


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("size", [(64, 96), (97, 131)])
def test_an_encoder_gives_maps_of_the_size_rounded_up_at_each_stride(name, size):
    encoder = make_encoder(name).eval()
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, *size))
    expected = [
        (1, c, -(-size[0] // s), -(-size[1] // s)) for c, s in zip(encoder.channels, (4, 8, 16, 32), strict=True)
    ]
    assert [tuple(features.shape) for features in maps] == expected


@pytest.mark.parametrize("size", [(240, 320), (120, 160), (97, 131), (33, 32)])
def test_features_are_at_half_the_resolution_rounded_up(size):
    network = ResidualUNet(ResidualUNetConfig(encoder="efficientnet_lite0", width=16, dim=8)).eval()
    with torch.no_grad():
        features = network(torch.randn(1, 3, *size))
    assert tuple(features.shape) == (1, 8, (size[0] + 1) // 2, (size[1] + 1) // 2)


@pytest.mark.parametrize(
    ("encoder", "widths", "dim"),
    [
        ("resnet18", (256, 128, 64, 32), 32),
        ("resnet50", (1024, 512, 256, 128), 128),
        ("efficientnet_lite0", (64, 32, 32, 32), 32),
    ],
)
def test_widths_and_dims_are_the_released_ones(encoder, widths, dim):
    with torch.device("meta"):
        network = ResidualUNet(ResidualUNetConfig(encoder=encoder))
    assert tuple(up.short[0].out_channels for up in network.up) == widths
    assert (network.dim, network.last.out_channels) == (dim, dim)
    fitted = [not isinstance(skip, nn.Identity) for skip in network.skip]
    assert any(fitted) == (encoder == "efficientnet_lite0")


@pytest.mark.parametrize("width", [8, 64])
def test_a_width_narrows_the_decoder_but_not_below_the_feature(width):
    network = ResidualUNet(ResidualUNetConfig(encoder="resnet18", width=width, dim=16))
    assert [up.short[0].out_channels for up in network.up] == [max(width // 2**i, 16) for i in range(4)]
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 16, 32, 32)


@pytest.mark.parametrize("encoder", ["resnet18", "efficientnet_lite0"])
def test_a_gradient_reaches_every_parameter(encoder):
    torch.manual_seed(0)
    network = ResidualUNet(ResidualUNetConfig(encoder=encoder, width=32, dim=16))
    network(torch.randn(2, 3, 64, 96)).square().sum().backward()
    untouched = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert untouched == []


def test_each_skip_is_added_after_its_up_projection():
    network = ResidualUNet(ResidualUNetConfig(encoder="resnet18", width=32, dim=16)).eval()
    image = torch.randn(1, 3, 50, 70)
    with torch.no_grad():
        stride4, stride8, stride16, features = network.encoder(image)
        features = network.up[0](features, (4, 5)) + network.skip[0](stride16)
        features = network.up[1](features, (7, 9)) + network.skip[1](stride8)
        features = network.up[2](features, (13, 18)) + network.skip[2](stride4)
        expected = network.last(network.up[3](features, (25, 35)))
        torch.testing.assert_close(network(image), expected)


def test_evaluation_does_not_depend_on_the_rest_of_the_batch():
    network = ResidualUNet(ResidualUNetConfig(encoder="efficientnet_lite0", width=16, dim=8)).eval()
    images = torch.randn(3, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images)[1:2], network(images[1:2]), rtol=1e-4, atol=1e-5)


def test_training_draws_no_random_numbers():
    network = ResidualUNet(ResidualUNetConfig(encoder="efficientnet_lite0", width=16, dim=8))
    images = torch.randn(2, 3, 48, 64)
    torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)


def test_weights_make_a_round_trip():
    config = ResidualUNetConfig(encoder="resnet18", width=32)
    there, back = ResidualUNet(config).eval(), ResidualUNet(config).eval()
    back.load_state_dict(there.state_dict())
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(there(image), back(image), rtol=0, atol=0)


def test_an_up_projection_of_a_linear_ramp_is_interpolated_with_aligned_corners():
    block = UpProjection(1, 1).eval()
    nn.init.zeros_(block.long[0].weight)
    nn.init.zeros_(block.short[0].weight)
    block.short[0].weight.data[0, 0, 2, 2] = 1
    with torch.no_grad():
        ramp = block(torch.arange(3.0).expand(1, 1, 2, 3).contiguous(), (4, 5))
    torch.testing.assert_close(ramp, torch.arange(5.0).mul(0.5).expand(1, 1, 4, 5), rtol=1e-4, atol=1e-4)


def test_a_pixel_head_is_a_linear_layer_at_every_pixel_and_answers_at_the_size_asked_for():
    head = PixelHead(6, 3)
    features = torch.randn(2, 6, 4, 5)
    weight, bias = head.linear.weight[:, :, 0, 0], head.linear.bias
    answers = head(features)
    torch.testing.assert_close(answers[1, :, 2, 3], weight @ features[1, :, 2, 3] + bias)
    full = head(features, (8, 10))
    assert tuple(full.shape) == (2, 3, 8, 10)
    torch.testing.assert_close(full[:, :, 1:-1:2, 1:-1:2].shape, torch.Size((2, 3, 3, 4)))
    between = 0.75 * answers[:, :, 1, 1] + 0.25 * answers[:, :, 1, 2]
    below = 0.75 * answers[:, :, 2, 1] + 0.25 * answers[:, :, 2, 2]
    torch.testing.assert_close(full[:, :, 3, 3], 0.75 * between + 0.25 * below)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(Exception, match="vgg"):
        make_encoder("vgg")


def test_every_batch_norm_sees_the_global_batch():
    network = ResidualUNet(ResidualUNetConfig(encoder="efficientnet_lite0"))
    norms = [type(module) for module in network.modules() if isinstance(module, nn.modules.batchnorm._NormBase)]
    assert set(norms) == {GlobalBatchNorm}
    assert len(norms) == 4 * 3 + 48
