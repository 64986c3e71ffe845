"""Scores of novel views: pictures that were predicted against true ones, colours in [0, 1]."""

import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

LEAST_ERROR = 1e-10
"""Mean squared error below which a picture counts as right: 100 dB."""
WINDOW = 7
"""Side of the square that local means are taken over."""
STEADY_MEAN, STEADY_VARIANCE = 0.01**2, 0.03**2


def psnr(
    found: Float[Tensor, "picture height width channel"], truth: Float[Tensor, "picture height width channel"]
) -> Float64[Tensor, " picture"]:
    """Return the peak signal-to-noise ratio in dB, ``-10 log10(mean squared error)``, at most 100."""
    error = (found.double() - truth.double()).square().mean((1, 2, 3))
    return -10.0 * error.clamp(min=LEAST_ERROR).log10()


def ssim(
    found: Float[Tensor, "picture height width channel"], truth: Float[Tensor, "picture height width channel"]
) -> Float64[Tensor, " picture"]:
    """Return the structural similarity (Wang et al. 2004): the mean over channels and over all windows of 7 x 7 that lie inside.

    Windows weigh their pixels alike and variances are unbiased, as in scikit-image, by which SRN's code scores. Raises
    :class:`ValueError` for pictures smaller than a window.
    """
    if min(found.shape[1:3]) < WINDOW:
        raise ValueError(f"pictures of {found.shape[1]}x{found.shape[2]} have no window of {WINDOW}x{WINDOW}")
    x, y = found.double().permute(0, 3, 1, 2), truth.double().permute(0, 3, 1, 2)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (F.avg_pool2d(part, WINDOW, 1) for part in (x, y, x * x, y * y, x * y))
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    variance_x, variance_y = unbiased * (mean_xx - mean_x**2), unbiased * (mean_yy - mean_y**2)
    covariance = unbiased * (mean_xy - mean_x * mean_y)
    alike = (2 * mean_x * mean_y + STEADY_MEAN) * (2 * covariance + STEADY_VARIANCE)
    apart = (mean_x**2 + mean_y**2 + STEADY_MEAN) * (variance_x + variance_y + STEADY_VARIANCE)
    return (alike / apart).mean((1, 2, 3))
