"""Scene representation network of a class of objects: latents and rays to features, distances and colours."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne
from sem3d.geometry.rays import Rays
from sem3d.networks.srn.hyper_network import FieldConfig, HyperNetwork, LinearMaps, field_features
from sem3d.networks.srn.point_renderer import PointRenderer
from sem3d.networks.srn.ray_marcher import RayMarcher, RayMarcherConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Sizes of all parts."""

    field: FieldConfig = dataclasses.field(default_factory=FieldConfig)
    """From points to features, made from a latent."""
    marcher: RayMarcherConfig = dataclasses.field(default_factory=RayMarcherConfig)
    """From rays to the points that are seen."""
    color_layers: AtLeastOne = 4
    """Linear maps from a feature to a colour. The paper says 4, the released code has 6."""
    alpha: bool = False
    """Answer with opacity beside the colour (released)."""


class Rendered(NamedTuple):
    """Rays of several objects, rendered."""

    features: Float[Tensor, "object ray width"]
    """Of the points where rays end."""
    distance: Float[Tensor, "object ray"]
    """From the camera, along the ray."""
    color: Float[Tensor, "object ray channel"]
    """In [-1, 1] where it is right: red, green, blue, and opacity where there is one."""


class SceneNetwork(nn.Module):
    """Hypernetwork, ray marcher and colour renderer."""

    def __init__(self, config: SceneConfig):
        super().__init__()
        self.hyper = HyperNetwork(config.field)
        self.marcher = RayMarcher(config.marcher, config.field.width)
        self.color = PointRenderer(config.field.width, config.color_layers, 4 if config.alpha else 3)

    def forward(self, latents: Float[Tensor, "object latent"], rays: Rays) -> Rendered:
        """Render the rays of each object; the products of all objects are one."""
        return self.render(self.hyper(latents), rays)

    def render(self, maps: Sequence[LinearMaps], rays: Rays) -> Rendered:
        """Render rays in fields that are made."""
        fields = partial(field_features, maps)
        distance = self.marcher(fields, rays)
        features = fields(rays.points(distance))
        return Rendered(features, distance, self.color(features))

    @torch.no_grad()
    def picture(self, latents: Float[Tensor, "object latent"], rays: Rays, at_once: int) -> Rendered:
        """Render any number of rays without a graph, ``at_once`` of each object at a time."""
        maps = self.hyper(latents)
        tiles = zip(*(part.split(at_once, 1) for part in rays), strict=True)
        found = [self.render(maps, Rays(*tile)) for tile in tiles]
        return Rendered(*(torch.cat(parts, 1) for parts in zip(*found, strict=True)))
