"""Scores of features that look for the true match of a pixel in another view, without any training.

Feature cell ``i`` of a map with stride ``s`` stands for the full-resolution pixel position ``s * i + (s - 1) / 2``. An
anchor cell takes its nearest neighbour by cosine among all cells of the positive map; it is correct if that lies within
``threshold_px`` of the true match.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int, Num
from torch import Tensor

from sem3d.errors import UserError

THRESHOLD_PX = 5.0
"""Distance from the true match within which a match is right."""
ERROR_BIN_PX = 0.25
ERROR_BINS = 4096


@dataclass(frozen=True)
class MatchCounts:
    """Statistics that add up over pairs of images, batches and workers; counts may be int64 or float64.

    ``chance`` is the number of correct matches expected from cells drawn uniformly; ``errors`` counts matches by error
    rounded to a quarter pixel, the last bin being open.
    """

    correct: Num[Tensor, ""]
    total: Num[Tensor, ""]
    chance: Float64[Tensor, ""]
    errors: Num[Tensor, "bin"]

    def __add__(self, other: "MatchCounts") -> "MatchCounts":
        return MatchCounts(
            self.correct + other.correct,
            self.total + other.total,
            self.chance + other.chance,
            self.errors + other.errors,
        )

    @property
    def rate(self) -> float:
        """Share of correct matches, nan without any pair."""
        return float(self.correct) / float(self.total) if self.total else math.nan

    @property
    def chance_rate(self) -> float:
        """Share of correct matches that guessing would give, nan without any pair."""
        return float(self.chance) / float(self.total) if self.total else math.nan

    @property
    def median_error(self) -> float:
        """Median distance in full-resolution pixels, to an eighth of a pixel; nan without any pair."""
        if not self.total:
            return math.nan
        reached = self.errors.double().cumsum(0)
        middle = torch.stack([(reached[-1] - 1) // 2, reached[-1] // 2])
        return float(torch.searchsorted(reached, middle, right=True).double().mean()) * ERROR_BIN_PX


MATCH_FIELDS = ("correct", "total", "chance", "errors")
"""Fields of :class:`MatchCounts`; a method sums each as ``match_<field>``."""


def match_metrics(sums: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the metrics of summed match counts: found within 5 px, by guessing, median error; nothing where there are none."""
    if "match_total" not in sums:
        return {}
    counts = MatchCounts(*(sums[f"match_{name}"] for name in MATCH_FIELDS))
    return {
        "match_rate_5px": counts.rate,
        "match_rate_5px_by_chance": counts.chance_rate,
        "match_median_error_px": counts.median_error,
    }


def pixel_positions(cells: Num[Tensor, "pair 2"], pixel_stride: int) -> Float[Tensor, "pair 2"]:
    """Return the full-resolution pixel (u, v) of feature-map positions (u, v): ``s * i + (s - 1) / 2``."""
    return cells.double() * pixel_stride + (pixel_stride - 1) / 2


def match_rate(
    anchor_features: Float[Tensor, "dim height width"],
    positive_features: Float[Tensor, "dim positive_height positive_width"],
    anchor_cells: Int[Tensor, "pair 2"],
    true_cells: Num[Tensor, "pair 2"],
    *,
    pixel_stride: int,
    threshold_px: float = THRESHOLD_PX,
    tile: int = 1024,
) -> MatchCounts:
    """Compare nearest-neighbour matches of one pair of images with the truth.

    Cells are (u, v) on the feature grid; a true match may lie between cells. ``threshold_px`` (inclusive) is a
    Euclidean distance in full-resolution pixels. ``tile`` anchors are compared at a time: memory is tile x positive
    cells, float32.
    Raises :class:`UserError` if features are not finite or an anchor cell lies outside its map.
    """
    height, width = anchor_features.shape[1:]
    if anchor_cells.numel() and not _inside(anchor_cells, height, width).all():
        raise UserError(
            f"anchor cells must lie in a feature map of {width} x {height} cells: check pixel_stride and (u, v) order"
        )
    if not (anchor_features.isfinite().all() and positive_features.isfinite().all()):
        raise UserError("features are not finite, so matches mean nothing: use a checkpoint from before the divergence")
    found = nearest_cells(anchor_features, positive_features, anchor_cells, tile=tile)
    errors = match_errors(found, true_cells, pixel_stride)
    bins = (errors / ERROR_BIN_PX).round().long().clamp(max=ERROR_BINS - 1)
    return MatchCounts(
        correct=(errors <= threshold_px).sum(),
        total=torch.tensor(len(errors), device=errors.device),
        chance=chance_matches(
            true_cells, *positive_features.shape[1:], pixel_stride=pixel_stride, threshold_px=threshold_px
        ),
        errors=torch.bincount(bins, minlength=ERROR_BINS),
    )


def nearest_cells(
    anchor_features: Float[Tensor, "dim height width"],
    positive_features: Float[Tensor, "dim positive_height positive_width"],
    anchor_cells: Int[Tensor, "pair 2"],
    *,
    tile: int = 1024,
) -> Int[Tensor, "pair 2"]:
    """Return for each anchor cell (u, v) the cell of the positive map whose feature is nearest to its own by cosine."""
    columns, rows = anchor_cells.long().unbind(1)
    queries = F.normalize(anchor_features[:, rows, columns].float(), dim=0).T
    keys = F.normalize(positive_features.flatten(1).float(), dim=0)
    nearest = torch.cat([(part @ keys).argmax(1) for part in queries.split(tile)])
    return torch.stack([nearest % positive_features.shape[2], nearest // positive_features.shape[2]], dim=1)


def match_errors(
    found: Num[Tensor, "pair 2"], true_cells: Num[Tensor, "pair 2"], pixel_stride: int
) -> Float64[Tensor, " pair"]:
    """Return the distance of matches from the true ones, in full-resolution pixels."""
    offsets = pixel_positions(found, pixel_stride) - pixel_positions(true_cells, pixel_stride)
    return torch.linalg.vector_norm(offsets, dim=1)


def chance_matches(
    true_cells: Num[Tensor, "pair 2"], height: int, width: int, *, pixel_stride: int, threshold_px: float = THRESHOLD_PX
) -> Float64[Tensor, ""]:
    """Return the expected correct matches when cells of a (height, width) map are drawn uniformly; adds up over pairs."""
    reach = math.ceil(threshold_px / pixel_stride)
    steps = torch.arange(-reach, reach + 2, device=true_cells.device)
    around = torch.cartesian_prod(steps, steps)
    truth = true_cells.double()[:, None]
    candidates = truth.floor() + around
    near = torch.linalg.vector_norm(candidates - truth, dim=2) * pixel_stride <= threshold_px
    return (near & _inside(candidates, height, width)).sum().double() / (height * width)


def chance_rate(
    true_cells: Num[Tensor, "pair 2"], height: int, width: int, *, pixel_stride: int, threshold_px: float = THRESHOLD_PX
) -> float:
    """Return the match rate of uniform guessing, in [0, 1]; nan without any pair."""
    expected = chance_matches(true_cells, height, width, pixel_stride=pixel_stride, threshold_px=threshold_px)
    return float(expected) / len(true_cells) if len(true_cells) else math.nan


def _inside(cells: Tensor, height: int, width: int) -> Tensor:
    return ((cells >= 0) & (cells < torch.tensor([width, height], device=cells.device))).all(-1)
