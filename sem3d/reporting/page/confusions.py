"""Confusion matrices as small drawings: share of each class's items by prediction, added over seeds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from sem3d.reporting.formatting import counted
from sem3d.reporting.page.comparison import best_other_arm
from sem3d.reporting.page.content import Confusion, SweepReview

LEAST_SHARE = 0.005
NAMED = 3
MOST_CLASSES = 60
LONGEST_NAME = 15


@dataclass(frozen=True, kw_only=True)
class Share:
    """One cell of a drawing."""

    row: int
    column: int
    opacity: str
    kind: str
    """right or wrong."""
    words: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The counts of one arm; without classes where there is nothing to draw, or too much."""

    caption: str
    finding: str
    """Most frequent confusions; empty where nothing was counted."""
    classes: tuple[str, ...] = ()
    """Of rows and of columns."""
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MatrixPair:
    """The first arm and the best other one at one budget."""

    title: str
    matrices: tuple[Matrix, ...]


def confusion_pairs(review: SweepReview) -> list[MatrixPair]:
    """Return the first arm and the best other one beside each other, at every budget.

    All matrices of one name have the same classes, those that occur in any of them as truth or as prediction.
    """
    names = list(dict.fromkeys(item.name for item in review.confusions))
    pairs = []
    for name in names:
        occurring = occurring_classes([item for item in review.confusions if item.name == name])
        for budget in review.budgets.values:
            found = [item for item in review.confusions if item.name == name and item.budget == budget]
            arms = [arm for arm in review.arms if any(item.arm == arm for item in found)]
            shown = [arm for arm in (review.arms[0], best_other_arm(review, budget, arms)) if arm in arms]
            matrices = [
                _matrix(arm, [item for item in found if item.arm == arm], occurring) for arm in shown or arms[:1]
            ]
            if matrices:
                at = review.budgets.text(budget)
                title = at if len(names) == 1 else f"{name}, {at}"
                pairs.append(MatrixPair(title=title, matrices=tuple(matrices)))
    return pairs


def occurring_classes(found: list[Confusion]) -> tuple[str, ...]:
    """Return the classes that were counted, in the order of the matrices."""
    counted_classes: dict[str, bool] = {}
    for item in found:
        seen = (item.counts.sum(axis=0) + item.counts.sum(axis=1)) > 0
        for name, occurs in zip(item.classes, seen, strict=True):
            counted_classes[name] = counted_classes.get(name, False) or bool(occurs)
    return tuple(name for name, occurs in counted_classes.items() if occurs)


def _matrix(arm: str, found: list[Confusion], occurring: tuple[str, ...]) -> Matrix:
    classes = found[0].classes
    alike = [item for item in found if item.classes == classes]
    counts = np.sum([item.counts for item in alike], axis=0)
    rows = np.flatnonzero(counts.sum(axis=1) > 0)
    caption = f"{arm}, {counted(len(alike), 'seed')}"
    if not len(rows):
        return Matrix(caption=caption, finding="")
    shares = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    finding = _largest(shares, rows, classes)
    if len(occurring) > MOST_CLASSES:
        return Matrix(caption=caption, finding=finding)
    whole = np.zeros((len(classes), len(classes)))
    whole[rows] = shares
    kept = [classes.index(name) for name in occurring if name in classes]
    return Matrix(
        caption=caption,
        finding=finding,
        classes=tuple(_short(classes[place]) for place in kept),
        shares=_shares(whole[np.ix_(kept, kept)], [classes[place] for place in kept]),
    )


def _largest(
    shares: Float64[np.ndarray, "row class"], rows: Int64[np.ndarray, " row"], classes: tuple[str, ...]
) -> str:
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


def _shares(shares: Float64[np.ndarray, "class class"], classes: list[str]) -> tuple[Share, ...]:
    return tuple(
        Share(
            row=int(row),
            column=int(column),
            opacity=f"{shares[row, column] ** 0.6:.2f}",
            kind="right" if row == column else "wrong",
            words=f"{classes[row]} predicted as {classes[column]}: {100 * shares[row, column]:.0f}\u00a0%",
        )
        for row, column in np.argwhere(shares >= LEAST_SHARE)
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
