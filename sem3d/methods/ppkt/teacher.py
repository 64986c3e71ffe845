"""PPKT's frozen 2D network and its weights: an image encoder, or a whole network that names the class of each pixel."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.errors import UserError
from sem3d.methods.initial_parts import difference, read_safetensors
from sem3d.methods.ppkt.config import PPKTConfig
from sem3d.networks.cell_centres import CellGrid
from sem3d.networks.encoders import EncoderName
from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.pixel_heads import PixelHead
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig
from sem3d.networks.tapped_encoder import TappedEncoder

NOISE_IMAGES, COARSE_SIDE, NOISE_SIDE = 4, 8, 96


class Labeller(nn.Module):
    """The network of 2D segmentation: class scores of every pixel, as its one map."""

    channels = (len(CLASS_NAMES),)

    def __init__(self, encoder: EncoderName):
        super().__init__()
        self.unet = ResidualUNet(ResidualUNetConfig(encoder=encoder), embedding=False)
        self.classifier = PixelHead(self.unet.dim, *self.channels)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, ...]:
        """Return scores (batch, class, height, width) as a tuple of one."""
        return (self.classifier(self.unet(image), (image.shape[-2], image.shape[-1])),)

    def grids(self, size: tuple[int, int]) -> tuple[CellGrid, ...]:
        """Return where the cells of the map look: each at its own pixel."""
        return (CellGrid((0.0, 0.0), 1),)


def teacher_network(config: PPKTConfig) -> TappedEncoder | Labeller:
    """Return the 2D network of the loss that is on, with its first weights."""
    if config.loss == "pseudo_labels":
        return Labeller(config.teacher.encoder)
    return TappedEncoder(config.teacher.encoder, config.teacher.strides)


def load_teacher(network: nn.Module, source: str) -> str:
    """Load weights into the encoder of a :class:`TappedEncoder`, or into a whole :class:`Labeller`; return a line on them.

    A random network's BatchNorm is given the statistics of noise: with those it begins with, signals die out on the way, and
    all pixels would have one feature.
    """
    assert isinstance(network, TappedEncoder | Labeller)
    if isinstance(network, Labeller) and source != "scratch":
        return load_labeller(network, source)
    line = load_encoder(network.unet.encoder if isinstance(network, Labeller) else network.encoder, source)
    if source != "scratch":
        return line
    set_statistics(network)
    return f"{line}, BatchNorm's statistics of noise"


def load_labeller(network: Labeller, source: str) -> str:
    """Load the network of a run of 2D segmentation, strictly; return a line on it. Raises :class:`UserError` where it is none."""
    wanted = "method.loss pseudo_labels wants a run of semantic_segmentation_2d in method.teacher.weights"
    if not source.endswith(".safetensors") or not Path(source).is_file():
        raise UserError(f"{wanted}, not {source}")
    stored, own = read_safetensors(Path(source)), network.state_dict()
    for name in sorted({*own, *stored}):
        if fault := difference(name, own, stored):
            raise UserError(
                f"{wanted}, with its encoder, its usual widths and no embedding layer: {source} at {name}: {fault}"
            )
    network.load_state_dict(stored)
    return f"2D segmentation: {len(stored)} tensors from {source}"


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
