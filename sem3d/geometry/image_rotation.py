"""Images turned in their own plane, the augmentation and the consistency test of SSR's viewpoint network."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def rotate_images(
    images: Float[Tensor, "batch channel height width"], degrees: int | Int[Tensor, " batch"]
) -> Float[Tensor, "batch channel height width"]:
    """Turn ``images`` counter-clockwise, as one looks at them, about the middle of the image.

    One angle for all or one an image. Sampled bilinearly; beyond the image all channels are 0. Differentiable in the images.
    """
    height, width = images.shape[-2:]
    turn = degrees if isinstance(degrees, Tensor) else torch.full((), degrees)
    angle = turn.to(images.device, non_blocking=True).expand(len(images)).double().deg2rad()[:, None, None]
    down = (torch.arange(height, dtype=torch.float64, device=images.device) - (height - 1) / 2)[:, None]
    right = torch.arange(width, dtype=torch.float64, device=images.device) - (width - 1) / 2
    source_right = angle.cos() * right - angle.sin() * down
    source_down = angle.sin() * right + angle.cos() * down
    grid = torch.stack([source_right * 2 / width, source_down * 2 / height], dim=-1).to(images.dtype)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
