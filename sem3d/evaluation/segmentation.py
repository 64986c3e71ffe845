"""Semantic segmentation scores from one confusion matrix over a whole split; class 0 is ignored ground truth.

Two protocols that differ in what they forgive:

=========== ================================================== ==========================================
protocol    a valid pixel predicted 0                          a class without ground truth
=========== ================================================== ==========================================
``pri3d``   vanishes (row and column 0 are zeroed)             scores 0 and stays in the mean
``scannet`` is a false negative of its class                   is left out if it was not predicted either;
                                                               predicted on valid pixels it scores 0
=========== ================================================== ==========================================

Sources: Pri3D ``downstream/semseg/unet/common/iou.py``; ScanNet
``BenchmarkScripts/2d_evaluation/evalPixelLevelSemanticLabeling.py`` (same rule in ``3d_evaluation``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer, Num, UInt8
from torch import Tensor

from sem3d.errors import UserError

Protocol = Literal["pri3d", "scannet"]
PRI3D_EPSILON = 1e-15
COMMON_SCENES = 3
"""Held-out scenes in which a class of ``miou_scannet_common`` stands at least."""


@dataclass(frozen=True)
class SegmentationScore:
    """Scores in [0, 1]; nan where a protocol leaves a class out, and always for class 0."""

    miou: float
    iou: Float64[np.ndarray, "class"]
    pixel_accuracy: float
    mean_accuracy: float


def confusion(
    labels: Integer[Tensor, "..."], predictions: Integer[Tensor, "..."], classes: int
) -> Int64[Tensor, "class class"]:
    """Return pixels by ground truth (row) and prediction (column); adds up over batches and workers.

    ``classes`` counts the ignored class 0. Works on the device of its arguments. Raises :class:`UserError` if shapes
    differ or an id lies outside ``0 .. classes - 1``.
    """
    if labels.shape != predictions.shape:
        raise UserError(f"labels {tuple(labels.shape)} and predictions {tuple(predictions.shape)} differ in shape")
    for name, ids in (("label", labels), ("prediction", predictions)):
        if ids.numel() and (ids.min() < 0 or ids.max() >= classes):
            raise UserError(
                f"{name} ids span {ids.min()} to {ids.max()}, but only 0 to {classes - 1} exist: map them first"
            )
    cells = labels.long().flatten() * classes + predictions.long().flatten()
    return torch.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def mean_iou(confusion: Num[Tensor, "class class"], protocol: Protocol) -> SegmentationScore:
    """Return mean TP / (TP + FP + FN) over the classes 1.., by the named protocol (see the module).

    ``pixel_accuracy`` is TP over the pixels that the protocol counts, ``mean_accuracy`` the mean of TP / (TP + FN) over
    the classes with ground truth (``pri3d``: over all, like its IoU). A matrix without any counted pixel scores 0 by
    ``pri3d`` and nan by ``scannet``.
    """
    counts = confusion.detach().cpu().double().numpy().copy()
    counts[0] = 0
    if protocol == "pri3d":
        counts[:, 0] = 0
    true_positive = np.diag(counts)[1:]
    labelled = counts.sum(axis=1)[1:]
    union = labelled + counts.sum(axis=0)[1:] - true_positive
    if protocol == "pri3d":
        iou = true_positive / (union + PRI3D_EPSILON)
        recall = true_positive / (labelled + PRI3D_EPSILON)
        pixel_accuracy = float(true_positive.sum() / (counts.sum() + PRI3D_EPSILON))
    else:
        iou = _ratio(true_positive, union)
        recall = _ratio(true_positive, labelled)
        pixel_accuracy = float(true_positive.sum() / counts.sum()) if counts.any() else float("nan")
    return SegmentationScore(
        miou=mean_of_known(iou),
        iou=np.concatenate([[np.nan], iou]),
        pixel_accuracy=pixel_accuracy,
        mean_accuracy=mean_of_known(recall),
    )


def segmentation_metrics(confusion: Num[Tensor, "class class"], common: Sequence[int] = ()) -> dict[str, float]:
    """Return mean IoU by both protocols, pixel and class accuracy, and the mean IoU over the ``common`` classes, if any."""
    official, released = (mean_iou(confusion, protocol) for protocol in ("scannet", "pri3d"))
    metrics = {
        "miou_scannet": official.miou,
        "miou_pri3d": released.miou,
        "pixel_accuracy": official.pixel_accuracy,
        "class_accuracy": official.mean_accuracy,
    }
    return metrics | ({"miou_scannet_common": mean_of_known(official.iou[list(common)])} if common else {})


def segmentation_tables(
    confusion: Num[Tensor, "class class"], names: Sequence[str], palette: UInt8[np.ndarray, "class 3"]
) -> dict[str, object]:
    """Return the IoU of each class that has one, and the confusion matrix of what is labelled (rows: truth) with the colours of
    its classes, by title.
    """
    iou = mean_iou(confusion, "scannet").iou
    known = {name: float(value) for name, value in zip(names, iou, strict=True) if not np.isnan(value)}
    colors = [f"#{bytes(color).hex()}" for color in palette]
    labelled = confusion.long().clone()
    labelled[0] = 0
    return {"iou_by_class": known, "confusion": {"names": list(names), "matrix": labelled.tolist(), "colors": colors}}


def common_classes(frames: Iterable[tuple[int | str, Iterable[int]]]) -> list[int]:
    """Return the classes but 0 that stand in at least ``COMMON_SCENES`` scenes; each frame is its scene and its classes.

    A class that one scene holds weighs as much in the mean as wall, and its IoU says as much of that scene as of the method.
    """
    scenes: dict[int, set[int | str]] = {}
    for scene, classes in frames:
        for number in classes:
            scenes.setdefault(int(number), set()).add(scene)
    return sorted(number for number, found in scenes.items() if number and len(found) >= COMMON_SCENES)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def mean_of_known(values: np.ndarray) -> float:
    """Return the mean of what is not nan; nan where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
