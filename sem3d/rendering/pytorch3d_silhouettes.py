"""Soft silhouettes by PyTorch3D's rasteriser: the reference that :mod:`sem3d.rendering.fast_silhouettes` is held against."""

import torch
from jaxtyping import Float, Int
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from sem3d.rendering.fast_silhouettes import LOGIT_REACH


def pytorch3d_silhouettes(
    vertices: Float[Tensor, "batch vertex 3"],
    faces: Int[Tensor, "face 3"],
    *,
    size: int,
    sigma: float,
    faces_per_pixel: int = 150,
) -> Float[Tensor, "batch {size} {size}"]:
    """Compute :func:`sem3d.rendering.soft_silhouettes`; computed and returned in float32.

    A pixel counts its ``faces_per_pixel`` nearest faces only: beyond that PyTorch3D loses faces without an error, and its
    time and memory grow with it. Binning is off (``bin_size=0``), for overfull bins lose faces in the same silent way.
    """
    vertices = vertices.float()
    finite = vertices.detach().mul(0).sum((1, 2))
    left_up_depth = vertices * vertices.new_tensor([-1.0, 1.0, 1.0])
    fragments = rasterize_meshes(
        Meshes(left_up_depth, faces.expand(len(vertices), -1, -1)),
        image_size=size,
        blur_radius=LOGIT_REACH * sigma,
        faces_per_pixel=faces_per_pixel,
        bin_size=0,
        clip_barycentric_coords=True,
    )
    face, signed_square = fragments[0], fragments[3]
    logits = torch.where(face >= 0, -signed_square / sigma, -torch.inf)
    return 1 - torch.prod(1 - torch.sigmoid(logits), dim=-1) + finite[:, None, None]
