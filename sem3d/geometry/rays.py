"""Rays of pixels in the world, for cameras with OpenCV's axes (x right, y down, z forward)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Rays(NamedTuple):
    """Rays of several objects' views; the point at distance t is ``origin + t * direction``, its camera depth ``t * cosine``."""

    origin: Float[Tensor, "object ray 3"]
    """Centre of the camera, in the world."""
    direction: Float[Tensor, "object ray 3"]
    """Of length 1."""
    cosine: Float[Tensor, "object ray"]
    """Of the angle to the camera's z axis."""

    def points(self, distance: Float[Tensor, "object ray"]) -> Float[Tensor, "object ray 3"]:
        """Return the points at these distances from the cameras, in the world."""
        return self.origin + distance[..., None] * self.direction


def rays_of_pixels(
    pixels: Float[Tensor, "object view ray 2"],
    intrinsics: Float[Tensor, "object 3 3"],
    world_from_camera: Float[Tensor, "object view 4 4"],
) -> Rays:
    """Return the rays through ``pixels`` (u, v), the views of an object one after the other.

    Where a pixel's centre is, integer or half, is the intrinsics' affair: the ray is that of K^-1 (u, v, 1).
    """
    ahead = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    in_camera = torch.einsum("oij,ovrj->ovri", torch.linalg.inv(intrinsics), ahead)
    length = in_camera.norm(dim=-1, keepdim=True)
    direction = torch.einsum("ovij,ovrj->ovri", world_from_camera[..., :3, :3], in_camera / length)
    origin = world_from_camera[:, :, None, :3, 3].expand_as(direction)
    return Rays(origin.flatten(1, 2), direction.flatten(1, 2), (in_camera[..., 2:] / length).flatten(1))
