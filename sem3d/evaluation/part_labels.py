"""Scores of part labels in pictures of objects, as Semantic SRN has them; class 0 is the background, and it counts.

mIoU: of each picture the mean IoU over the classes that its truth or its prediction shows, then the mean over pictures. Shape
mIoU: intersections and unions of all pictures and instances together, then the mean over the classes that any shows (SSRN
``models.py`` get_IOU_vals, ``test.py``). Pixels whose true label is unknown, -1, count in neither.
"""

import torch
from jaxtyping import Bool, Float, Float64, Int64, Integer
from torch import Tensor

from sem3d.errors import UserError

SAME_DEPTH = 0.02
"""Difference of depth, in the object's diagonals, up to which two views show the same point."""


def intersections_and_unions(
    predictions: Integer[Tensor, "picture height width"],
    labels: Integer[Tensor, "picture height width"],
    classes: int,
    counted: Bool[Tensor, "picture height width"] | None = None,
) -> tuple[Int64[Tensor, "picture class"], Int64[Tensor, "picture class"]]:
    """Return pixels of each class in both prediction and truth, and in either, by picture; sums over pictures are those of a set.

    Only pixels that are ``counted`` do, where given. Raises :class:`UserError` for labels that are none of the classes.
    """
    for name, ids, least in (("label", labels, -1), ("prediction", predictions, 0)):
        if ids.numel() and (ids.min() < least or ids.max() >= classes):
            raise UserError(f"{name} ids span {ids.min()} to {ids.max()}, classes are 0 to {classes - 1}")
    kept = labels >= 0 if counted is None else (labels >= 0) & counted
    truth, found = (
        torch.nn.functional.one_hot(torch.where(kept, ids, classes).long(), classes + 1)[..., :classes].bool()
        for ids in (labels, predictions)
    )
    return (truth & found).sum((1, 2)), (truth | found).sum((1, 2))


def mean_over_classes(
    intersections: Integer[Tensor, "*set class"], unions: Integer[Tensor, "*set class"]
) -> Float64[Tensor, "*set"]:
    """Return the mean IoU over the classes that have a union; nan where none has."""
    iou = intersections.double() / unions
    return iou.nanmean(-1)


def picture_miou(
    predictions: Integer[Tensor, "picture height width"], labels: Integer[Tensor, "picture height width"], classes: int
) -> Float64[Tensor, " picture"]:
    """Return the mean IoU of each picture; nan where no label of it is known."""
    return mean_over_classes(*intersections_and_unions(predictions, labels, classes))


def picture_miou_where_shape_is_right(
    predictions: Integer[Tensor, "picture height width"], labels: Integer[Tensor, "picture height width"], classes: int
) -> Float64[Tensor, " picture"]:
    """Return the mean IoU of each picture over the pixels that are background in both or in neither, so that it tells how parts
    are named, apart from the shape.
    """
    right = (predictions > 0) == (labels > 0)
    return mean_over_classes(*intersections_and_unions(predictions, labels, classes, right))


def mask_iou(
    found: Bool[Tensor, "picture height width"], truth: Bool[Tensor, "picture height width"]
) -> Float64[Tensor, " picture"]:
    """Return the IoU of silhouettes; 1 where both are empty."""
    intersection, union = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    return torch.where(union > 0, intersection.double() / union, 1.0)


def agreeing_labels(
    labels: Integer[Tensor, "view height width"],
    depth: Float[Tensor, "view height width"],
    world_from_camera: Float[Tensor, "view 4 4"],
    intrinsics: Float[Tensor, "3 3"],
) -> tuple[int, int]:
    """Return in how many pixels the label of a view is that of the next view (of the last: the first) at the same point of the
    surface, and in how many it could be looked up; none where there is one view.

    A pixel with depth (along the optical axis; 0: none) is looked up where its point is inside the next picture and the depth
    there is its own, to :data:`SAME_DEPTH`. Pixel centres lie at whole numbers + 0.5. At borders of parts even true labels
    differ, by the size of pixels: their agreement is the most that can be had.
    """
    height, width = labels.shape[1:]
    if len(labels) < 2:
        return 0, 0
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([u + 0.5, v + 0.5, torch.ones_like(u)], -1).to(world_from_camera)
    rays = centres @ torch.linalg.inv(intrinsics.to(world_from_camera)).T
    agreeing = compared = 0
    for here in range(len(labels)):
        there = (here + 1) % len(labels)
        shown = depth[here] > 0
        points = rays[shown] * depth[here][shown][:, None]
        turn, shift = world_from_camera[here, :3, :3], world_from_camera[here, :3, 3]
        world = points @ turn.T + shift
        camera = (world - world_from_camera[there, :3, 3]) @ world_from_camera[there, :3, :3]
        ahead = camera[:, 2] > 0
        place = (camera / camera[:, 2:].clamp(min=1e-9)) @ intrinsics.to(camera).T
        column, row = place[:, 0].floor().long(), place[:, 1].floor().long()
        inside = ahead & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column, row = column.clamp(0, width - 1), row.clamp(0, height - 1)
        met = depth[there][row, column]
        same = inside & (met > 0) & ((met - camera[:, 2]).abs() < SAME_DEPTH)
        agreeing += int((labels[here][shown][same] == labels[there][row, column][same]).sum())
        compared += int(same.sum())
    return agreeing, compared
