"""Voxel IoU of an evaluation: sums by the viewpoint that a mesh is made from, and what is read off them."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sem3d.evaluation.reconstruction import voxel_iou
from sem3d.geometry.nmr_views import VIEWS
from sem3d.geometry.solid_voxels import solid_voxels, to_dataset_axes

Sums = dict[str, Tensor]
"""``iou`` and ``views``: sum of the IoU and number of the meshes by viewpoint, float64 (24,)."""


def sums_by_view(
    vertices: Float[Tensor, "mesh vertex 3"],
    faces: Int[Tensor, "face 3"],
    viewpoint: Int[Tensor, " mesh"],
    voxels: Bool[Tensor, "mesh 32 32 32"],
) -> Sums:
    """Return the sums of the voxel IoU at 32^3, each mesh made solid, by the viewpoint that it is made from."""
    views, triangles = viewpoint.cpu(), faces.cpu().numpy()
    iou = torch.zeros(len(vertices), dtype=torch.float64)
    for place, (corners, true) in enumerate(zip(vertices.double().cpu().numpy(), voxels.cpu().numpy(), strict=True)):
        iou[place] = float(voxel_iou(to_dataset_axes(solid_voxels(corners, triangles)), true))
    zeros = torch.zeros(VIEWS, dtype=torch.float64)
    return {"iou": zeros.index_add(0, views, iou), "views": zeros.index_add(0, views, torch.ones_like(iou))}


def iou_and_count(found: Iterable[Sums]) -> Float[Tensor, " 2"]:
    """Return the sum of the IoU of all meshes of several batches, and their number."""
    total = torch.zeros(2, dtype=torch.float64)
    for sums in found:
        total += torch.stack([sums["iou"].sum(), sums["views"].sum()])
    return total


def mean_iou(sums: Sums) -> float:
    """Return the mean over objects and views; 0 without any."""
    return float(sums["iou"].sum() / sums["views"].sum().clamp(min=1))


def iou_by_view(sums: Sums) -> dict[str, float]:
    """Return the mean of each viewpoint that a mesh is made from."""
    by_view = zip(sums["iou"].tolist(), sums["views"].tolist(), strict=True)
    return {f"view {view:02d}": iou / count for view, (iou, count) in enumerate(by_view) if count}
