"""Groups of points around centres, as PointNet++ makes them (Qi et al., arXiv 1706.02413): which points, and what they say."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sem3d.geometry.farthest_points import farthest_first


@torch.no_grad()
def farthest_rows(points: Float[Tensor, "item point 3"], count: int) -> Int[Tensor, "item {count}"]:
    """Return rows of ``count`` points of each item, the first point and then each time the one farthest from all before.

    An item has at least ``count`` points.
    """
    axes = [axis.contiguous() for axis in points.unbind(2)]
    first = torch.zeros(len(points), 1, dtype=torch.int64, device=points.device)
    return torch.cat(farthest_first(axes, first, count), dim=1)


@torch.no_grad()
def rows_within(
    points: Float[Tensor, "item point 3"], centers: Float[Tensor, "item center 3"], radius: float, count: int
) -> Int[Tensor, "item center group"]:
    """Return rows of the first ``count`` points nearer than ``radius`` to each centre, in order; the first of them again in
    places that are left. A centre is one of the points, so that it has one at least.
    """
    sides = zip(points.unbind(2), centers.unbind(2), strict=True)
    apart = sum(((center[:, :, None] - point[:, None]) ** 2 for point, center in sides), points.new_zeros(()))
    total = points.shape[1]
    number = torch.arange(total, device=points.device).expand_as(apart)
    order = torch.where(apart < radius**2, number, total)
    order = order.topk(min(count, total), dim=2, largest=False).values
    return torch.where(order < total, order, order[..., :1]).clamp(max=total - 1)


def take_rows(
    values: Shaped[Tensor, "item point *shape"], rows: Int[Tensor, "item *group"]
) -> Shaped[Tensor, "item *taken"]:
    """Return the values of the named points of each item."""
    items = torch.arange(len(rows), device=rows.device).view(-1, *[1] * (rows.dim() - 1))
    return values[items, rows]
