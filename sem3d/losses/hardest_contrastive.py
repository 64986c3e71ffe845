"""Hardest-contrastive loss: matches lie close, and the nearest feature that is no match lies far (PointContrast; FCGF).

Source: Choy et al., ICCV 2019 (FCGF), as PointContrast's released ``ddp_trainer.py`` computes it: margins 0.1 and 1.4 for
features of unit length, the squared distance of a match against the first, both directions of the search averaged. Unlike it:
the nearest feature is searched in tiles, without a matrix of all pairs (32 GB for its users); it is searched among those that
are no match, where the released code drops a row whose nearest is one; and negatives are those of the same item, so the loss
does not depend on how a batch is dealt to workers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from sem3d.losses.info_nce import usable_features
from sem3d.losses.tiled_log_sum_exp import row_tiles
from sem3d.losses.valid_rows import valid_rows

LEAST_SQUARE = 1e-7
"""Added to a squared distance below its root, whose gradient is infinite at 0 (as released)."""


@dataclass(frozen=True, kw_only=True)
class HardestContrast:
    """Margins and weight; the defaults are PointContrast's."""

    positive_margin: float = 0.1
    """Squared distance of a match that costs nothing."""
    negative_margin: float = 1.4
    """Distance of the nearest other feature that costs nothing."""
    negative_weight: float = 1.0
    """Weight of the negatives beside the matches."""
    candidates: int = 256
    """Matches of an item, the first of them, whose features are searched; 0: all."""


def hardest_contrastive_of_items(
    anchor: Float[Tensor, "item match dim"],
    positive: Float[Tensor, "item match dim"],
    settings: HardestContrast,
    valid: Bool[Tensor, "item match"] | None = None,
    point: Int[Tensor, "item match 2"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over items of the loss of each item's matches, features scaled to unit length.

    ``point`` numbers the point that each row shows in the anchor and in the positive: a point of one is no negative for one of
    the other where any row matches them. Rows that are not ``valid`` take no part; an item without any counts as zero and keeps
    the graph.
    """
    valid = anchor.new_ones(anchor.shape[:2], dtype=torch.bool) if valid is None else valid
    if point is None:
        point = torch.arange(anchor.shape[1], device=anchor.device)[None, :, None].expand(*anchor.shape[:2], 2)
    anchor, positive = (usable_features(features, valid) for features in (anchor, positive))
    with torch.autocast(anchor.device.type, enabled=False):
        costs = [
            _of_item(one[rows], other[rows], numbers[rows].long(), settings)
            for one, other, numbers, rows in zip(anchor, positive, point, valid_rows(valid), strict=True)
        ]
    return torch.stack(costs).mean() if costs else anchor.sum()


def _of_item(
    anchor: Float[Tensor, "match dim"],
    positive: Float[Tensor, "match dim"],
    point: Int64[Tensor, "match 2"],
    settings: HardestContrast,
) -> Float[Tensor, ""]:
    """Return the loss of one item's valid matches."""
    near = torch.relu((anchor - positive).square().sum(1) - settings.positive_margin)
    one_way = _push(anchor, positive, point, settings)
    other_way = _push(positive, anchor, point.flip(1), settings)
    return near.sum() / max(len(near), 1) + settings.negative_weight * (one_way + other_way) / 2


def _push(
    queries: Float[Tensor, "match dim"],
    keys: Float[Tensor, "match dim"],
    point: Int64[Tensor, "match 2"],
    settings: HardestContrast,
) -> Float[Tensor, ""]:
    """Return the mean squared lack of distance to the hardest negative, over the queries that have one.

    ``point`` has the queries' points first, then the keys'.
    """
    nearest, found = nearest_other(queries, keys[: settings.candidates or len(keys)], point)
    squares = (queries - keys[nearest]).square().sum(1)
    lack = torch.relu(settings.negative_margin - (squares + LEAST_SQUARE).sqrt()).square()
    return torch.where(found, lack, 0).sum() / found.sum().clamp(min=1)


@torch.no_grad()
def nearest_other(
    queries: Float[Tensor, "query dim"], keys: Float[Tensor, "key dim"], point: Int64[Tensor, "query 2"]
) -> tuple[Int64[Tensor, " query"], Bool[Tensor, " query"]]:
    """Return the row of the most similar key that no row of ``point`` matches with the query, and whether there is one.

    Features are of unit length; keys are those of the first rows.
    """
    nearest = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    found = torch.zeros(len(queries), dtype=torch.bool, device=queries.device)
    if not len(keys):
        return nearest, found
    first, second = point[:, 0] * (point[:, 1].max() + 1), point[:, 1]
    matched = (first + second).sort().values
    for part in row_tiles(len(queries), len(keys), queries.device):
        similarity = queries[part] @ keys.T
        pairs = first[part, None] + second[: len(keys)]
        place = torch.searchsorted(matched, pairs).clamp_(max=len(matched) - 1)
        similarity.masked_fill_(matched[place] == pairs, -torch.inf)
        highest, nearest[part] = similarity.max(1)
        found[part] = highest > -torch.inf
    return nearest, found
