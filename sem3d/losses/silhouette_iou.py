"""Silhouette IoU, the loss of SoftRas and SSR on soft silhouettes (SoftRas, Liu et al. 2019, Eq. 11; ``losses.py``)."""

from jaxtyping import Float
from torch import Tensor


def silhouette_iou_loss(
    predicted: Float[Tensor, "*batch height width"], target: Float[Tensor, "*batch height width"], epsilon: float = 1e-6
) -> Float[Tensor, ""]:
    """Return ``1 - sum(p t) / (sum(p + t - p t) + epsilon)``, averaged over all images; both in [0, 1], in float32 or wider.

    The multi-view loss of the paper is this over all (shape, view) pairs: with shapes a and b, each drawn in both views,
    stack the four as an axis of the batch. Two empty images cost 1, as released. No images cost zero.
    """
    overlap = (predicted * target).sum((-2, -1))
    union = (predicted + target).sum((-2, -1)) - overlap
    return (1 - overlap / (union + epsilon)).sum() / max(overlap.numel(), 1)
