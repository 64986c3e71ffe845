"""Semantic SRN (arXiv 2003.12673), Table 1: mIoU of parts by method and number of labelled masks, on chairs and tables.

Kept are its rows of 30 masks. Those of all masks have three methods and, in the copy at hand, two pairs of numbers a class, so
that which is whose is not certain. On other data than PartNet's ours say which method is better, not whether the paper's number
is met.
"""

from collections.abc import Mapping, Sequence

from sem3d.errors import UserError
from sem3d.reporting.formatting import budget_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.reviews import data_of, require_space
from sem3d.reporting.tables import Cell, Table

SPACE, METRIC = "semantic_srn", "miou"
PAPERS_DATA = "PartNet"
MASKS = 30.0
CLASSES = ("chair", "table")
TABLE_1: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "tatarchenko + linear": {"chair": (28.4, 23.3), "table": (32.8, 11.4)},
    "srn + linear": {"chair": (48.7, 42.3), "table": (58.7, 18.3)},
    "u-net, oracle views": {"chair": (42.2, 38.0), "table": (50.3, 17.9)},
}
"""mIoU and shape mIoU in percent by arm, then by class, of 30 masks; the U-Net is shown true views of test objects."""
COLUMNS = ["method", "masks", "by", "data", "class", "mIoU", "shape mIoU"]


def class_of(review: SweepReview) -> str:
    """Return the paper's class that a sweep is of; chairs unless it names another, as generated ones are."""
    named = str(review.shared_settings.get("data.category", "")).lower().removesuffix("s")
    return named or CLASSES[0]


def paper_scores(review: SweepReview) -> Mapping[tuple[str, float], float]:
    """Return the paper's mIoU in percent by arm and number of masks, of the sweep's class."""
    name = class_of(review)
    return {(arm, MASKS): found[name][0] for arm, found in TABLE_1.items() if name in found}


def published_table(reviews: Sequence[SweepReview]) -> Table:
    """Return the paper's rows with ours below each: mean and interval over seeds, in percent.

    Raises :class:`UserError` for sweeps of something else, and where two sweeps have the same row.
    """
    require_space(reviews, SPACE)
    ours: dict[tuple[str, float], dict[str, tuple[str, str]]] = {}
    for review in reviews:
        if review.metric.name != METRIC:
            raise UserError(f"{review.name} compares {review.metric.name}, the paper's table {METRIC}: leave it out")
        for arm, by_budget in review.scores.items():
            for budget, by_seed in by_budget.items():
                beside = ours.setdefault((arm, budget), {})
                if class_of(review) in beside:
                    raise UserError(f"two sweeps have {arm} on {class_of(review)}s: name one sweep a class")
                beside[class_of(review)] = (
                    data_of([review]),
                    review.metric.with_interval(interval(list(by_seed.values()))),
                )
    return table_of(ours), COLUMNS


def table_of(ours: Mapping[tuple[str, float], Mapping[str, tuple[str, str]]]) -> list[dict[str, Cell]]:
    """Return the rows, those of the paper first at each number of masks."""
    order = list(dict.fromkeys((*TABLE_1, *(arm for arm, _ in ours))))
    places = {*((arm, MASKS) for arm in TABLE_1), *ours}
    rows: list[dict[str, Cell]] = []
    for arm, budget in sorted(places, key=lambda place: (place[1], order.index(place[0]))):
        place: dict[str, Cell] = {"method": arm, "masks": budget_text(budget)}
        for name, (miou, shape) in TABLE_1.get(arm, {}).items() if budget == MASKS else ():
            numbers: dict[str, Cell] = {"mIoU": f"{miou:.1f}", "shape mIoU": f"{shape:.1f}"}
            rows.append(place | {"by": "paper", "data": PAPERS_DATA, "class": name} | numbers)
        for name, (data, text) in ours.get((arm, budget), {}).items():
            rows.append(place | {"by": "ours", "data": data, "class": name, "mIoU": text})
    return rows
