"""Weights of PPKT's frozen 2D network."""

import torch
from torch import nn

from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.tapped_encoder import TappedEncoder

NOISE_IMAGES, COARSE_SIDE, NOISE_SIDE = 4, 8, 96


def load_teacher(network: nn.Module, source: str) -> str:
    """Load weights into the encoder of a :class:`TappedEncoder`; return a line on them.

    A random network's BatchNorm is given the statistics of noise: with those it begins with, signals die out on the way, and
    all pixels would have one feature.
    """
    assert isinstance(network, TappedEncoder)
    line = load_encoder(network.encoder, source)
    if source != "scratch":
        return line
    set_statistics(network)
    return f"{line}, BatchNorm's statistics of noise"


@torch.no_grad()
def set_statistics(network: nn.Module) -> None:
    """Set the running statistics of all BatchNorm layers to those of one pass over coarse and fine noise of a fixed seed.

    They are computed in float64 and kept to eight bits: the digest of a random teacher is then the same on every processor.
    """
    kind = next(network.parameters()).dtype
    random = torch.Generator().manual_seed(0)
    coarse, fine = (torch.randn(NOISE_IMAGES, 3, side, side, generator=random) for side in (COARSE_SIDE, NOISE_SIDE))
    repeats = NOISE_SIDE // COARSE_SIDE
    images = coarse.repeat_interleave(repeats, 2).repeat_interleave(repeats, 3) + fine / 2
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network.double().train()
    network(images.to(next(network.parameters()).device))
    network.eval().to(kind)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            assert statistic is not None
            statistic.copy_(statistic.bfloat16())
