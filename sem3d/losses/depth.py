"""The loss of Pri3D's undocumented depth head (released ``loss.py``, after Hu et al., WACV 2019)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from sem3d.geometry.constant import constant

SOBEL_X = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


def depth_loss(
    predicted: Float[Tensor, "batch height width"], target: Float[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    """Return the distance of ``predicted`` from ``target``, both in metres; pixels whose target is 0 are left out.

    With ``d = predicted - target`` and (dx, dy) the two 3x3 Sobel sums (kernel 1-2-1, not divided, zeros beyond the
    border), a pixel costs ``(log(|d| + 0.5) + log(|dx(d)| + 0.5) + log(|dy(d)| + 0.5) + |1 - cos(n, m)|) / 3`` where
    ``n`` and ``m`` are ``(-dx, -dy, 1)`` of prediction and target. The least value is ``-log(2)``. A hole in the target
    still reaches the Sobel sums of its neighbours, as released.

    Pixels are averaged within an image and then over images, an image without depth counting as zero that keeps the graph;
    the released code averages over the pixels of a whole worker's batch, which depends on how images are dealt to workers.
    """
    predicted = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
    target = target.to(predicted.dtype)
    valid = target != 0
    with torch.autocast(predicted.device.type, enabled=False):
        predicted_dx, predicted_dy = sobel(predicted)
        target_dx, target_dy = sobel(target)
    cost = (
        _log_distance(predicted, target)
        + _log_distance(predicted_dx, target_dx)
        + _log_distance(predicted_dy, target_dy)
        + (1 - _cosine_of_normals(predicted_dx, predicted_dy, target_dx, target_dy)).abs()
    ) / 3
    return _mean_of_images(cost, valid)


def sobel(
    depth: Float[Tensor, "batch height width"],
) -> tuple[Float[Tensor, "batch height width"], Float[Tensor, "batch height width"]]:
    """Return undivided Sobel sums along x and y; beyond the border depth is 0. A ramp of 1 a pixel gives -8."""
    kernel_x = constant(SOBEL_X, depth)
    both = F.conv2d(depth[:, None], torch.stack([kernel_x, kernel_x.T])[:, None], padding=1)
    return both[:, 0], both[:, 1]


def _log_distance(
    predicted: Float[Tensor, "batch height width"], target: Float[Tensor, "batch height width"]
) -> Float[Tensor, "batch height width"]:
    return ((predicted - target).abs() + 0.5).log()


def _cosine_of_normals(
    predicted_dx: Float[Tensor, "batch height width"],
    predicted_dy: Float[Tensor, "batch height width"],
    target_dx: Float[Tensor, "batch height width"],
    target_dy: Float[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width"]:
    dot = predicted_dx * target_dx + predicted_dy * target_dy + 1
    return dot * (predicted_dx**2 + predicted_dy**2 + 1).rsqrt() * (target_dx**2 + target_dy**2 + 1).rsqrt()


def _mean_of_images(
    cost: Float[Tensor, "batch height width"], valid: Bool[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    of_image = torch.where(valid, cost, 0).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
    return of_image.sum() / max(len(of_image), 1)
