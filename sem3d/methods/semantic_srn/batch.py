"""A batch of objects with rays of some of their views."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.geometry.rays import Rays, rays_of_pixels


@dataclass(frozen=True)
class SemanticSRNBatch:
    """Objects, the rays of their views, and what is seen along these."""

    instance: Int[Tensor, " object"]
    """Row of the object's latent; -1 where there is nothing to learn from."""
    intrinsics: Float[Tensor, "object 3 3"]
    world_from_camera: Float[Tensor, "object view 4 4"]
    pixels: Float[Tensor, "object view ray 2"]
    """(u, v); whole pictures are all their pixels, row by row."""
    color: Float[Tensor, "object view ray 3"]
    """In [-1, 1], over white."""
    alpha: Float[Tensor, "object view ray"]
    """Opacity in [0, 1]."""
    label: Int[Tensor, "object view ray"]
    """Class of the part; 0: background, -1: unknown."""

    def rays(self, like: Tensor) -> Rays:
        """Return the rays of each object, view after view, in the type of ``like``, under autocast too."""
        given = (self.pixels, self.intrinsics, self.world_from_camera)
        with torch.autocast(self.pixels.device.type, enabled=False):
            return rays_of_pixels(*(value.to(like.dtype) for value in given))
