"""SSR (arXiv 2108.09593), Table 2: voxel IoU by class and number of labelled objects."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.errors import UserError
from sem3d.reporting.formatting import budget_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.reviews import data_of, require_space
from sem3d.reporting.tables import Cell, Table

SPACE = "ssr"

SSR_CLASSES = [
    "airplane",
    "bench",
    "cabinet",
    "car",
    "chair",
    "display",
    "lamp",
    "loudspeaker",
    "rifle",
    "sofa",
    "table",
    "telephone",
    "watercraft",
]
SSR_VOXEL_IOU: Mapping[tuple[str, float], tuple[float, ...]] = {
    ("softras", 2): (0.42, 0.24, 0.39, 0.60, 0.26, 0.33, 0.17, 0.38, 0.44, 0.38, 0.17, 0.57, 0.28),
    ("ssr", 2): (0.55, 0.44, 0.48, 0.75, 0.37, 0.50, 0.27, 0.45, 0.63, 0.53, 0.27, 0.71, 0.53),
    ("softras", 5): (0.43, 0.27, 0.42, 0.64, 0.29, 0.34, 0.19, 0.45, 0.43, 0.47, 0.20, 0.60, 0.42),
    ("ssr", 5): (0.59, 0.44, 0.50, 0.75, 0.49, 0.55, 0.33, 0.47, 0.65, 0.66, 0.35, 0.78, 0.56),
    ("softras", 20): (0.47, 0.34, 0.53, 0.68, 0.33, 0.44, 0.26, 0.51, 0.52, 0.55, 0.31, 0.67, 0.47),
    ("ssr", 20): (0.63, 0.47, 0.65, 0.76, 0.51, 0.57, 0.38, 0.62, 0.66, 0.65, 0.43, 0.78, 0.55),
    ("softras", float("inf")): (0.64, 0.51, 0.71, 0.77, 0.53, 0.62, 0.46, 0.67, 0.68, 0.69, 0.45, 0.79, 0.60),
}
"""Voxel IoU by arm and number of labelled objects, in the order of the classes (SSR, 2108.09593, Table 2)."""
ALL_CLASSES = "mean of 13"
PAPERS_DATA = "ShapeNet"

Found = Mapping[tuple[str, float], Mapping[str, Sequence[float]]]
"""Our scores over seeds, by arm and budget, then by class."""


def paper_scores(review: SweepReview) -> Mapping[tuple[str, float], float]:
    """Return the paper's voxel IoU in percent by arm and number of labelled objects: of the sweep's class, else of all 13."""
    category = str(review.shared_settings.get("data.category", ""))
    name = {synset: name for name, synset in SYNSETS.items()}.get(category, category)
    chosen = [SSR_CLASSES.index(name)] if name in SSR_CLASSES else range(len(SSR_CLASSES))
    return {place: 100 * fmean(values[number] for number in chosen) for place, values in SSR_VOXEL_IOU.items()}


def published_table(reviews: Sequence[SweepReview]) -> Table:
    """Return the paper's table with the scores of sweeps, one a class, beside it."""
    return ssr_table(ssr_scores(reviews), data_of(reviews))


def ssr_scores(reviews: Sequence[SweepReview]) -> Found:
    """Return scores over seeds by arm and budget, then by class; raise :class:`UserError` for sweeps of something else."""
    require_space(reviews, SPACE)
    names = {synset: name for name, synset in SYNSETS.items()}
    found: dict[tuple[str, float], dict[str, list[float]]] = {}
    for review in reviews:
        category = str(review.shared_settings.get("data.category", "chair"))
        name = names.get(category, category)
        for arm, by_budget in review.scores.items():
            for budget, by_seed in by_budget.items():
                scores = found.setdefault((arm, budget), {})
                if name in scores:
                    raise UserError(f"two sweeps have {arm} on {name}: name one sweep a class")
                scores[name] = list(by_seed.values())
    return found


def ssr_table(found: Found, data: str) -> Table:
    """Return the paper's Table 2 with ours on ``data`` below each of its rows: means over seeds and classes.

    Only classes that were run have a column; ``mean`` is, for the paper, over those of the 13 among them, for us over those
    that an arm was run on, so that a row of ours with a gap compares by its columns only. ``mean of 13`` is over all classes
    of the paper, and is in each of its rows.
    """
    classes = [name for name in SSR_CLASSES if any(name in scores for scores in found.values())]
    others = sorted({name for scores in found.values() for name in scores} - set(classes))
    rows: list[dict[str, Cell]] = []
    for arm, budget in sorted({*SSR_VOXEL_IOU, *found}, key=lambda key: (key[1], key[0] != "softras", key[0])):
        place: dict[str, Cell] = {"method": arm, "N": budget_text(float(budget))}
        published = dict(zip(SSR_CLASSES, SSR_VOXEL_IOU.get((arm, budget), ()), strict=False))
        if published:
            values = {name: published[name] for name in classes}
            mean = fmean(values.values()) if values else None
            means = {"mean": mean, ALL_CLASSES: fmean(published.values())}
            rows.append(place | {"by": "paper", "data": PAPERS_DATA} | values | means)
        scores = found.get((arm, budget), {})
        if scores:
            ours: dict[str, Cell] = {
                name: interval(list(scores[name])) for name in (*classes, *others) if name in scores
            }
            means = {"mean": fmean(fmean(values) for values in scores.values())}
            if scores.keys() >= set(SSR_CLASSES):
                means[ALL_CLASSES] = fmean(fmean(scores[name]) for name in SSR_CLASSES)
            rows.append(place | {"by": "ours", "data": data} | ours | means)
    return rows, ["method", "N", "by", "data", *classes, *others, "mean", ALL_CLASSES]
