"""Scores of rendered pictures beside the true ones, as sums with counts."""

from collections.abc import Mapping
from math import isqrt
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from sem3d.evaluation.novel_views import WINDOW, psnr, ssim
from sem3d.evaluation.part_labels import (
    intersections_and_unions,
    mask_iou,
    mean_over_classes,
    picture_miou,
    picture_miou_where_shape_is_right,
)
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.views import Views

PART_EVALUATIONS = {
    "scores": "sem3d.pipelines.scores:scores",
    "consistency": "sem3d.pipelines.part_consistency:part_consistency",
    "sheet": "sem3d.pipelines.part_sheet:part_sheet",
}
"""Evaluations of methods that label the parts in views."""
OPAQUE = 0.5
"""Opacity from which on a pixel shows the object."""


@runtime_checkable
class LabelsViews(Protocol):
    """A method that labels the parts in views of objects."""

    def labelled(self, batch: SemanticSRNBatch) -> Int[Tensor, "object height width"]:
        """Return the class of each pixel of the view of each object that is scored, the last one of a batch."""
        ...


def view_sums(views: Views, batch: SemanticSRNBatch) -> dict[str, Tensor]:
    """Return sums over the pictures of a batch whose objects can be used, by name, each with its count or of all classes."""
    usable = batch.instance >= 0

    def pictures(values: Shaped[Tensor, "object rays *channel"]) -> Shaped[Tensor, "picture height width *channel"]:
        return as_pictures(values, batch)[usable].flatten(0, 1)

    found, truth = (
        (pictures(color.float()).clamp(-1, 1) + 1) / 2
        for color in (views.rendered.color[..., :3], batch.color.flatten(1, 2))
    )
    sums = with_count("psnr", psnr(found, truth))
    if min(found.shape[1:3]) >= WINDOW:
        sums |= with_count("ssim", ssim(found, truth))
    silhouette = silhouettes(views)
    if silhouette is not None:
        opaque = pictures(batch.alpha.flatten(1, 2) > OPAQUE)
        sums |= with_count("silhouette_iou", mask_iou(pictures(silhouette), opaque))
    if views.logits is not None:
        labels = pictures(batch.label.flatten(1, 2))
        sums |= label_sums(pictures(views.logits.argmax(-1)), labels, views.logits.shape[-1])
    return sums


def label_sums(
    predicted: Int[Tensor, "picture height width"], labels: Int[Tensor, "picture height width"], classes: int
) -> dict[str, Tensor]:
    """Return sums over pictures of the scores of their part labels, each with its count or of all classes."""
    right = picture_miou_where_shape_is_right(predicted, labels, classes)
    shared, union = intersections_and_unions(predicted, labels, classes)
    return {
        **with_count("miou", picture_miou(predicted, labels, classes)),
        **with_count("miou_where_shape_is_right", right),
        "intersection": shared.sum(0).double(),
        "union": union.sum(0).double(),
    }


def view_metrics(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Return means over pictures, and the shape mIoU: over pixels of all pictures, the mean of the classes seen or predicted."""
    means = {name: total for name, total in sums.items() if f"{name}_count" in sums}
    metrics = {name: float(total / sums[f"{name}_count"].clamp(min=1)) for name, total in means.items()}
    if "union" in sums:
        shape = mean_over_classes(sums["intersection"].long(), sums["union"].long())
        metrics["shape_miou"] = float(shape.nan_to_num(0.0))
    return metrics


def class_ious(sums: Mapping[str, Tensor]) -> list[float]:
    """Return the IoU of each class over the pixels of all pictures, nan where there are none."""
    return (sums["intersection"] / sums["union"]).tolist()


def with_count(name: str, values: Float[Tensor, " picture"]) -> dict[str, Tensor]:
    """Return the sum of the values that are numbers, and how many these are."""
    known = values[~values.isnan()].double()
    return {
        name: known.sum(),
        f"{name}_count": torch.tensor(float(len(known)), dtype=torch.float64, device=values.device),
    }


def as_pictures(
    values: Shaped[Tensor, "object rays *channel"], batch: SemanticSRNBatch
) -> Shaped[Tensor, "object view height width *channel"]:
    """Return values of all rays of whole square pictures as those pictures."""
    views, rays = batch.pixels.shape[1:3]
    return values.unflatten(1, (views, isqrt(rays), isqrt(rays)))


def label_pictures(batch: SemanticSRNBatch) -> Int[Tensor, "picture height width"]:
    """Return the true classes of the pixels of all views of a batch of whole square pictures."""
    return as_pictures(batch.label.flatten(1, 2), batch).flatten(0, 1)


def silhouettes(views: Views) -> Bool[Tensor, "object ray"] | None:
    """Return where objects are seen, by opacity, else by labels, where either is rendered."""
    if views.rendered.color.shape[-1] > 3:
        return views.rendered.color[..., 3] > 0
    return None if views.logits is None else views.logits.argmax(-1) > 0
