"""Weights of a scene's field from its latent (SRN, section 3.3), for many scenes in the products of one.

A field maps points of the world to features by layers of a linear map, LayerNorm without weights of its own, and ReLU, the last
layer too. All its linear maps come from a latent; each by two hidden layers of its own, as in the released code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.bounds import AtLeastOne, Width

LAST_SCALE = 0.1
"""Factor of the first weights of the layers that answer with weights (SRN ``hyperlayers.py``)."""


@dataclass(frozen=True, kw_only=True)
class FieldConfig:
    """Size of a field and of the network that makes it."""

    latent: Width = 256
    """Numbers that tell one object from another; also the width of the hypernetwork's hidden layers (as released)."""
    width: Width = 256
    """Features of a point, and units of each layer."""
    layers: AtLeastOne = 4
    """Linear maps from a point to its features."""


class LinearMaps(NamedTuple):
    """The same layer of several objects."""

    weight: Float[Tensor, "object given wanted"]
    bias: Float[Tensor, "object 1 wanted"]


class HyperNetwork(nn.Module):
    """Latents to the linear maps of their fields."""

    def __init__(self, config: FieldConfig):
        super().__init__()
        self.given = (3, *[config.width] * (config.layers - 1))
        self.width = config.width
        self.heads = nn.ModuleList(head(config.latent, (given + 1) * config.width) for given in self.given)

    def forward(self, latents: Float[Tensor, "object latent"]) -> list[LinearMaps]:
        """Return the layers of the objects' fields, first to last."""
        found = []
        for given, layer in zip(self.given, self.heads, strict=True):
            weight, bias = layer(latents).split([given * self.width, self.width], 1)
            found.append(LinearMaps(weight.unflatten(1, (given, self.width)), bias[:, None]))
        return found


def head(latent: int, answers: int) -> nn.Sequential:
    """Return two hidden layers with LayerNorm and ReLU and a linear one, with the released first weights."""
    hidden = [nn.Linear(latent, latent), nn.LayerNorm(latent), nn.ReLU()]
    layers = nn.Sequential(
        *hidden, nn.Linear(latent, latent), nn.LayerNorm(latent), nn.ReLU(), nn.Linear(latent, answers)
    )
    start_linear_layers(layers)
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(LAST_SCALE)
    return layers


def start_linear_layers(network: nn.Module) -> None:
    """Draw the weights of all linear layers by Kaiming's rule for ReLU, as the released networks do; biases stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


def field_features(
    maps: Sequence[LinearMaps], points: Float[Tensor, "object point 3"]
) -> Float[Tensor, "object point width"]:
    """Return the features of points, each in the field of its object: SRN(x) = v (equation 1 of 2003.12673).

    Points are not rounded to the narrow type of an autocast: 8 bits do not tell where a thin leg is.
    """
    (weight, bias), *others = maps
    with torch.autocast(points.device.type, enabled=False):
        mapped = torch.baddbmm(bias.to(points.dtype), points, weight.to(points.dtype))
    features = torch.relu(F.layer_norm(mapped, mapped.shape[-1:]))
    for weight, bias in others:
        mapped = torch.baddbmm(bias, features, weight)
        features = torch.relu(F.layer_norm(mapped, mapped.shape[-1:]))
    return features
