"""Confusion matrices as small drawings: share of each class's items by prediction, added over seeds."""

import numpy as np
from jaxtyping import Float64

from sem3d.reporting.formatting import counted
from sem3d.reporting.page.comparison import best_other_arm
from sem3d.reporting.page.content import Confusion, SweepReview
from sem3d.reporting.page.markup import Markup, markup, tag

CELL = 14
LABEL_WIDTH = 84
LEAST_SHARE = 0.005
NAMED = 3
MOST_CLASSES = 60


def confusion_figures(review: SweepReview) -> Markup:
    """The first arm and the best other one beside each other, at every budget."""
    names = list(dict.fromkeys(item.name for item in review.confusions))
    parts = []
    for name in names:
        for budget in review.budgets.values:
            found = [item for item in review.confusions if item.name == name and item.budget == budget]
            arms = [arm for arm in review.arms if any(item.arm == arm for item in found)]
            shown = [arm for arm in (review.arms[0], best_other_arm(review, budget, arms)) if arm in arms]
            drawn = [_figure(arm, [item for item in found if item.arm == arm]) for arm in shown or arms[:1]]
            if drawn:
                title = review.budgets.text(budget) if len(names) == 1 else f"{name}, {review.budgets.text(budget)}"
                parts.append(markup(tag("h3", title), tag("div", *drawn, class_="pair")))
    return markup(*parts)


def _figure(arm: str, found: list[Confusion]) -> Markup:
    classes = found[0].classes
    alike = [item for item in found if item.classes == classes]
    counts = np.sum([item.counts for item in alike], axis=0)
    rows = np.flatnonzero(counts.sum(axis=1) > 0)
    columns = np.flatnonzero(counts[rows].sum(axis=0) + np.isin(np.arange(len(classes)), rows) > 0)
    caption = f"{arm}, {counted(len(alike), 'seed')}"
    if not len(rows):
        return tag("figure", tag("figcaption", caption, ": nothing was counted"))
    shares = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    words = _largest(shares, rows, classes)
    if len(columns) > MOST_CLASSES:
        return tag("figure", tag("figcaption", tag("b", caption), tag("span", words)))
    drawing = _drawing(
        shares[:, columns], [classes[row] for row in rows], [classes[column] for column in columns], caption
    )
    return tag("figure", tag("figcaption", tag("b", caption), tag("span", words)), tag("div", drawing, class_="scroll"))


def _largest(shares: Float64[np.ndarray, "row class"], rows: np.ndarray, classes: tuple[str, ...]) -> str:
    wrong = shares.copy()
    wrong[np.arange(len(rows)), rows] = 0
    order = np.argsort(-wrong, axis=None)[:NAMED]
    places = [np.unravel_index(place, wrong.shape) for place in order]
    named = [
        f"{classes[rows[row]]} → {classes[column]} {100 * wrong[row, column]:.0f}\u00a0%"
        for row, column in places
        if wrong[row, column] >= LEAST_SHARE
    ]
    return "most often confused: " + ", ".join(named) if named else "nothing is confused"


def _drawing(shares: Float64[np.ndarray, "row column"], rows: list[str], columns: list[str], caption: str) -> Markup:
    width, height = LABEL_WIDTH + CELL * len(columns) + 2, LABEL_WIDTH + CELL * len(rows) + 2
    parts = []
    for number, name in enumerate(rows):
        y = LABEL_WIDTH + CELL * number
        parts.append(tag("text", _short(name), x=str(LABEL_WIDTH - 5), y=str(y + 10), text_anchor="end"))
    for number, name in enumerate(columns):
        place = f"translate({LABEL_WIDTH + CELL * number + 10} {LABEL_WIDTH - 5}) rotate(-90)"
        parts.append(tag("text", _short(name), transform=place))
    frame = {"x": str(LABEL_WIDTH), "y": str(LABEL_WIDTH)}
    extent = {"width": str(CELL * len(columns)), "height": str(CELL * len(rows))}
    parts.append(tag("rect", **frame, **extent, class_="paper"))
    for row, column in np.argwhere(shares >= LEAST_SHARE):
        place = {"x": str(LABEL_WIDTH + CELL * int(column)), "y": str(LABEL_WIDTH + CELL * int(row))}
        size = {"width": str(CELL - 1), "height": str(CELL - 1)}
        share = float(shares[row, column])
        words = tag("title", f"{rows[row]} predicted as {columns[column]}: {100 * share:.0f}\u00a0%")
        kind = "right" if rows[row] == columns[column] else "wrong"
        parts.append(tag("rect", words, **place, **size, fill_opacity=f"{share**0.6:.2f}", class_=kind))
    label = f"confusion matrix of {caption}: rows are truth, columns predictions"
    return tag("svg", *parts, width=str(width), height=str(height), role="img", aria_label=label)


def _short(name: str) -> str:
    return name if len(name) <= 15 else f"{name[:14]}…"
