"""The 24 views of an object in the NMR renders, and where they put its vertices.

Frame of an object (NMR, SoftRas): the object is centred and its longest side is 1; x right and y up as view 0 sees it, z
*away* from view 0's camera before that is raised, which makes the frame left-handed. :func:`mirrored` leads to the
right-handed frame of meshes on disk and back.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.geometry.constant import constant
from sem3d.geometry.nmr_views import AZIMUTH_STEP_DEGREES, DISTANCE, ELEVATION_DEGREES, HALF_FIELD_OF_VIEW_DEGREES


def eyes_of_views(views: Int[Tensor, "*batch"], *, dtype: torch.dtype = torch.float32) -> Float[Tensor, "*batch 3"]:
    """Return camera centres, object frame, of views 0 to 23 (SoftRas ``get_points_from_angles.py``): view v has azimuth -15° v.

    From one view to the next the camera goes to the object's left, as view 0 sees it.
    """
    azimuth = torch.deg2rad(views.to(torch.float64) * AZIMUTH_STEP_DEGREES)
    return eyes(azimuth, torch.full_like(azimuth, math.radians(ELEVATION_DEGREES)), DISTANCE).to(dtype)


def eyes(
    azimuth: Float[Tensor, "*batch"], elevation: Float[Tensor, "*batch"], distance: float
) -> Float[Tensor, "*batch 3"]:
    """Return camera centres from radians: ``distance * (cos e sin a, sin e, -cos e cos a)``."""
    level = elevation.cos()
    return distance * torch.stack([level * azimuth.sin(), elevation.sin(), -level * azimuth.cos()], dim=-1)


def camera_axes(eye: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return rows x right, y up, z forward of a camera that looks at the origin (SoftRas ``look_at.py``).

    The eye must not lie on the y axis, where no direction is right.
    """
    forward = F.normalize(-eye, dim=-1)
    right = F.normalize(torch.linalg.cross(constant([0.0, 1.0, 0.0], eye).expand_as(eye), forward), dim=-1)
    return torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)


def to_device_coordinates(
    vertices: Float[Tensor, "batch vertex 3"],
    eye: Float[Tensor, "batch 3"],
    half_field_of_view_degrees: float = HALF_FIELD_OF_VIEW_DEGREES,
) -> Float[Tensor, "batch vertex 3"]:
    """Return (x right, y up) in NDC and depth along the optical axis, of vertices in the object frame seen from each eye.

    Differentiable in both. A vertex that is not in front of the camera (depth at most 1e-8) keeps its depth, by which
    renderers leave its faces out, and is not divided by it.
    """
    camera = torch.einsum("bvi,bji->bvj", vertices - eye[:, None], camera_axes(eye))
    depth = camera[..., 2:]
    divisor = torch.where(depth > 1e-8, depth, 1) * math.tan(math.radians(half_field_of_view_degrees))
    return torch.cat([camera[..., :2] / divisor, depth], dim=-1)


def mirrored(
    vertices: Float[Tensor, "*batch vertex 3"], faces: Int[Tensor, "face 3"]
) -> tuple[Float[Tensor, "*batch vertex 3"], Int[Tensor, "face 3"]]:
    """Return the mesh with z negated and each face turned round: from the object frame to a right-handed one, or back.

    In the right-handed frame, y is up and view 0's camera stands over +z.
    """
    return vertices * constant([1.0, 1.0, -1.0], vertices), faces[:, [0, 2, 1]]
