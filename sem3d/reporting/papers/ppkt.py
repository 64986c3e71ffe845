"""PPKT (arXiv 2104.04687): 3D segmentation and detection by initialisation, and the data-efficient ScanNet rows of others.

The paper's figures are those of its tables as third parties quote them. It draws fewer labelled scenes (15, 30, 50 %) as a
figure without numbers; those published for few labels are of Contrastive Scene Contexts (2012.09165, README of its authors'
code, validation scenes), whose pretraining is compared with as a sixth initialisation. Detection is VoteNet's: mean average
precision at overlaps of 0.25 and 0.5. On other data than the papers' ours say which initialisation is better, not whether a
paper's number is met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.reviews import data_of
from sem3d.reporting.tables import Cell, Table

MIOU, MACC, MAP_25, MAP_50 = "mIoU", "mAcc", "mAP@.25", "mAP@.5"
METRICS = {"miou_scannet": MIOU, "class_accuracy": MACC, "map_25": MAP_25, "map_50": MAP_50}
"""By key of a sweep's metric."""
SCANNET, S3DIS, SCANNET_BOXES, SUN_RGBD = (
    "ScanNet segmentation",
    "S3DIS Area 5 segmentation",
    "ScanNet detection",
    "SUN RGB-D detection",
)
SPACES = {"ppkt": (SCANNET, S3DIS), "ppkt_detection": (SCANNET_BOXES, SUN_RGBD)}
"""By space, the task of ScanNet's classes, and that of the other list of classes."""
OTHER_CLASSES = {"ppkt": ("data.classes", "s3dis"), "ppkt_detection": ("data.boxes", "sun_rgbd")}
"""By space, the leaf and the value that choose the other list."""
ALL = "100 %"
PPKT, CSC = "PPKT", "CSC"
COLUMNS = ["task", "initialisation", "labels", "by", "data", MIOU, MACC, MAP_25, MAP_50]


@dataclass(frozen=True)
class Published:
    """One row of a paper's table."""

    task: str
    initialisation: str
    labels: str
    paper: str
    figures: Mapping[str, float]
    """Percent, by metric."""


def _csc(task: str, *figures: tuple[str, Mapping[str, float]]) -> list[Published]:
    """Return the rows of Contrastive Scene Contexts' pretraining by labels."""
    return [Published(task, "contrastive scene contexts", labels, CSC, values) for labels, values in figures]


PUBLISHED = (
    Published(SCANNET, "scratch", ALL, PPKT, {MIOU: 69.49}),
    Published(SCANNET, "ppkt", ALL, PPKT, {MIOU: 69.56}),
    *_csc(
        SCANNET,
        ("1 %", {MIOU: 29.3}),
        ("5 %", {MIOU: 45.4}),
        ("10 %", {MIOU: 59.5}),
        ("20 %", {MIOU: 64.1}),
        (ALL, {MIOU: 73.8}),
        ("20 points a scene", {MIOU: 53.8}),
        ("50 points a scene", {MIOU: 62.9}),
        ("100 points a scene", {MIOU: 66.9}),
        ("200 points a scene", {MIOU: 69.0}),
    ),
    Published(S3DIS, "scratch", ALL, PPKT, {MACC: 73.24, MIOU: 65.16}),
    Published(S3DIS, "pointcontrast", ALL, PPKT, {MACC: 73.97, MIOU: 66.86}),
    Published(S3DIS, "ppkt", ALL, PPKT, {MACC: 75.19, MIOU: 68.28}),
    *_csc(S3DIS, (ALL, {MIOU: 72.2})),
    Published(SCANNET_BOXES, "scratch", ALL, PPKT, {MAP_25: 56.50, MAP_50: 34.54}),
    Published(SCANNET_BOXES, "pointcontrast", ALL, PPKT, {MAP_25: 58.30, MAP_50: 36.26}),
    Published(SCANNET_BOXES, "ppkt", ALL, PPKT, {MAP_25: 59.67, MAP_50: 38.90}),
    *_csc(
        SCANNET_BOXES,
        ("10 %", {MAP_25: 24.7, MAP_50: 9.9}),
        ("20 %", {MAP_25: 41.4, MAP_50: 21.4}),
        ("40 %", {MAP_25: 52.0, MAP_50: 29.5}),
        ("80 %", {MAP_25: 56.3, MAP_50: 36.3}),
        (ALL, {MAP_25: 59.1, MAP_50: 39.3}),
    ),
    Published(SUN_RGBD, "scratch", ALL, PPKT, {MAP_25: 55.21}),
    Published(SUN_RGBD, "ppkt", ALL, PPKT, {MAP_25: 57.26, MAP_50: 33.92}),
    *_csc(SUN_RGBD, (ALL, {MAP_25: 58.9, MAP_50: 36.4})),
)
TAUGHT = {"ppkt": ("ppkt", "ppkt, last layer")}
"""Arms of the spaces by the paper's initialisation, where there are several: its teacher gives its last layer."""


def paper_scores(review: SweepReview) -> Mapping[tuple[str, float], float]:
    """Return the paper's figures in percent by arm and share of labelled scenes; none under a budget of points."""
    if _points(review):
        return {}
    metric, task, found = METRICS.get(review.metric.name, ""), _task(review), {}
    for row in PUBLISHED:
        if (row.task, row.labels, row.paper) == (task, ALL, PPKT) and metric in row.figures:
            for arm in TAUGHT.get(row.initialisation, (row.initialisation,)):
                found[arm, 1.0] = row.figures[metric]
    return found


def published_table(reviews: Sequence[SweepReview]) -> Table:
    """Return the papers' figures with ours below those of the same task: mean and interval over seeds, in percent.

    Raises :class:`UserError` for sweeps of something else, and where two sweeps have the same row.
    """
    ours = _ours(reviews)
    rows: list[dict[str, Cell]] = []
    for task in (SCANNET, S3DIS, SCANNET_BOXES, SUN_RGBD):
        for row in PUBLISHED:
            if row.task == task:
                place = {"task": task, "initialisation": row.initialisation, "labels": row.labels}
                data = task.removesuffix(" segmentation").removesuffix(" detection")
                figures = {metric: f"{value:.1f}" for metric, value in row.figures.items()}
                rows.append({**place, "by": row.paper, "data": data, **figures})
        rows += ours.get(task, [])
    return rows, COLUMNS


def _ours(reviews: Sequence[SweepReview]) -> dict[str, list[dict[str, Cell]]]:
    """Return rows of ours by task."""
    found: dict[str, list[dict[str, Cell]]] = {}
    seen: set[tuple[str, ...]] = set()
    for review in reviews:
        if review.space not in SPACES:
            known = " or ".join(SPACES)
            raise UserError(
                f"{review.name} is a sweep of {review.space}, this table is for sweeps of {known}: leave it out"
            )
        metric, data = METRICS.get(review.metric.name), data_of([review])
        if not metric:
            raise UserError(f"{review.name} compares {review.metric.name}, the papers' tables do not: leave it out")
        points, task = _points(review), _task(review)
        for arm, by_budget in review.scores.items():
            for budget, by_seed in by_budget.items():
                labels = Budgets((budget,)).short(budget) + (f", {points} points a scene" if points else "")
                place = (task, arm, labels, data)
                if place in seen:
                    raise UserError(f"two sweeps have {arm} at {labels} on {data}: name one of them")
                seen.add(place)
                score = review.metric.with_interval(interval(list(by_seed.values())))
                named = {"task": task, "initialisation": arm, "labels": labels, "by": "ours", "data": data}
                found.setdefault(task, []).append({**named, metric: score})
    return found


def _task(review: SweepReview) -> str:
    """Return the task of the papers that a sweep's is."""
    leaf, other = OTHER_CLASSES[review.space]
    return SPACES[review.space][review.shared_settings.get(leaf) == other]


def _points(review: SweepReview) -> int:
    """Return how many points of a scene are labelled, 0 where all are."""
    return int(review.shared_settings.get("data.points_per_scene") or 0)
