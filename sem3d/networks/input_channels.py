"""Image encoders that see other channels than red, green and blue."""

from torch import nn

from sem3d.networks.encoders import Encoder


def see_channels(encoder: Encoder, channels: int) -> None:
    """Give an encoder a new first convolution of so many channels, with new weights."""
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(first.weight.new_empty(first.out_channels, channels, *first.kernel_size))
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
