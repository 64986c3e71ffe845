"""The objectives that teach a point's feature from that of the pixel which shows it (PPKT, arXiv 2104.04687).

PPNCE is PointInfoNCE, one-sided: of all sampled pixels, a point picks its own. The two that the paper holds against it:
distillation, which has the point's feature be that of the pixel, and global contrast, which compares whole frames. The paper
prints no equations of those; they are taken here as squared distance of unit vectors, and as PointInfoNCE of mean features.
A further baseline is cross entropy with the classes that a 2D network gives the pixels.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sem3d.losses.global_rows import global_rows
from sem3d.losses.info_nce import point_info_nce_of_items, usable_features
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy

Negatives = Literal["item", "batch"]


def pixel_point_nce(
    points: Float[Tensor, "item match dim"],
    pixels: Float[Tensor, "item match dim"],
    valid: Bool[Tensor, "item match"],
    temperature: float = 0.04,
    negatives: Negatives = "item",
) -> Float[Tensor, ""]:
    """Return the mean surprise of the points about their own pixels.

    ``negatives``: the other pixels of the same ``item``, averaged over matches and then over items; or those of the whole
    ``batch``, on all workers, averaged over all matches of the global batch. Without a valid match a zero that keeps the graph.
    """
    if negatives == "batch":
        points, pixels = (global_rows(features.flatten(0, 1))[None] for features in (points, pixels))
        valid = global_rows(valid.flatten().to(torch.uint8))[None].bool()
    return point_info_nce_of_items(points, pixels, temperature, "one_sided", valid)


def pixel_distillation(
    points: Float[Tensor, "item match dim"],
    pixels: Float[Tensor, "item match dim"],
    valid: Bool[Tensor, "item match"],
) -> Float[Tensor, ""]:
    """Return the mean over items of the mean squared distance of unit features over each item's valid matches."""
    points, pixels = (usable_features(features, valid) for features in (points, pixels))
    of_item = (points - pixels).square().sum(2).sum(1) / valid.sum(1).clamp(min=1)
    return of_item.sum() / max(len(of_item), 1)


def pixel_labels(
    points: Float[Tensor, "item match class"],
    pixels: Float[Tensor, "item match class"],
    valid: Bool[Tensor, "item match"],
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of points with the likeliest class of their pixels, over the valid matches of the global
    batch whose class is not 0; both sides are class scores.
    """
    labels = torch.where(valid, pixels.argmax(2), 0)
    return global_mean(*segmentation_cross_entropy(points.flatten(0, 1), labels.flatten()))


def global_contrast(
    points: Float[Tensor, "item match dim"],
    pixels: Float[Tensor, "item match dim"],
    valid: Bool[Tensor, "item match"],
    temperature: float = 0.04,
) -> Float[Tensor, ""]:
    """Return PPNCE of mean features: each frame's points pick its own pixels among all frames of the global batch."""
    count = valid.sum(1, keepdim=True)
    point_means, pixel_means = (
        (usable_features(features, valid, False).sum(1) / count.clamp(min=1))[:, None] for features in (points, pixels)
    )
    return pixel_point_nce(point_means, pixel_means, count > 0, temperature, "batch")
