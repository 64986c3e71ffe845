"""Images of meshes: one function, and the register of the ways to compute it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.errors import UserError
from sem3d.registers import resolve

BACKENDS = {
    "fast": "sem3d.rendering.fast_silhouettes:fast_silhouettes",
    "pytorch3d": "sem3d.rendering.pytorch3d_silhouettes:pytorch3d_silhouettes",
}


def soft_silhouettes(
    vertices: Float[Tensor, "batch vertex 3"],
    faces: Int[Tensor, "face 3"],
    *,
    size: int = 64,
    sigma: float = 1e-4,
    backend: str = "fast",
    trusted: bool = False,
) -> Float[Tensor, "batch {size} {size}"]:
    """Return the share of each pixel of a square image that the mesh covers; differentiable in x and y of the vertices.

    ``vertices`` are (x right, y up, depth) in normalised device coordinates (NDC): the image spans [-1, 1] and pixel
    (row, column) has its centre at ``((2 column + 1) / size - 1, 1 - (2 row + 1) / size)``; depth is any length.
    A face covers ``D = sigmoid(± d² / sigma)``, d being the distance in NDC to its boundary and + inside; the pixel has
    ``1 - prod(1 - D)`` (SoftRas, Liu et al. 2019, Eq. 1 and 5; ``soft_rasterize.py``). A face counts for nothing outside
    beyond ``d² >= 23.03 sigma``, where it has no area (twice the area at most 1e-8), and where a vertex lies at the camera
    or behind it (depth at most 1e-8), as in PyTorch3D. An image whose vertices are not finite is NaN everywhere.

    ``backend`` is ``"fast"`` (plain torch, any device; half precision is computed and returned in float32) or
    ``"pytorch3d"``, the reference (float32). ``trusted`` faces are known to name vertices, as those of a template that each step
    draws again are; to look at them, a GPU is waited for. Raises :class:`UserError` for another name, a size below 1, a sigma
    that is not positive, or a face that names no vertex.
    """
    if backend not in BACKENDS:
        raise UserError(f"unknown silhouette backend '{backend}': choose from {', '.join(BACKENDS)}")
    if size < 1 or not sigma > 0:
        raise UserError(f"silhouettes of size {size} and sigma {sigma} cannot be drawn: both must be positive")
    lowest, highest = torch.stack(torch.aminmax(faces)).tolist() if faces.numel() and not trusted else (0, -1)
    if lowest < 0 or highest >= vertices.shape[1]:
        raise UserError(f"a face names a vertex outside 0 to {vertices.shape[1] - 1}: the mesh is damaged")
    return resolve(BACKENDS[backend])(vertices, faces, size=size, sigma=sigma)
