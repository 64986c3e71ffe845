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
    """The counts of one arm; without rows and columns where there is nothing to draw, or too much."""

    caption: str
    finding: str
    """Most frequent confusions; empty where nothing was counted."""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MatrixPair:
    """The first arm and the best other one at one budget."""

    title: str
    matrices: tuple[Matrix, ...]


def confusion_pairs(review: SweepReview) -> list[MatrixPair]:
    """Return the first arm and the best other one beside each other, at every budget."""
    names = list(dict.fromkeys(item.name for item in review.confusions))
    pairs = []
    for name in names:
        for budget in review.budgets.values:
            found = [item for item in review.confusions if item.name == name and item.budget == budget]
            arms = [arm for arm in review.arms if any(item.arm == arm for item in found)]
            shown = [arm for arm in (review.arms[0], best_other_arm(review, budget, arms)) if arm in arms]
            matrices = [_matrix(arm, [item for item in found if item.arm == arm]) for arm in shown or arms[:1]]
            if matrices:
                at = review.budgets.text(budget)
                title = at if len(names) == 1 else f"{name}, {at}"
                pairs.append(MatrixPair(title=title, matrices=tuple(matrices)))
    return pairs


def _matrix(arm: str, found: list[Confusion]) -> Matrix:
    classes = found[0].classes
    alike = [item for item in found if item.classes == classes]
    counts = np.sum([item.counts for item in alike], axis=0)
    rows = np.flatnonzero(counts.sum(axis=1) > 0)
    columns = np.flatnonzero(counts[rows].sum(axis=0) + np.isin(np.arange(len(classes)), rows) > 0)
    caption = f"{arm}, {counted(len(alike), 'seed')}"
    if not len(rows):
        return Matrix(caption=caption, finding="")
    shares = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    finding = _largest(shares, rows, classes)
    if len(columns) > MOST_CLASSES:
        return Matrix(caption=caption, finding=finding)
    truths, predictions = [classes[row] for row in rows], [classes[column] for column in columns]
    return Matrix(
        caption=caption,
        finding=finding,
        rows=tuple(_short(name) for name in truths),
        columns=tuple(_short(name) for name in predictions),
        shares=_shares(shares[:, columns], truths, predictions),
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


def _shares(shares: Float64[np.ndarray, "row column"], truths: list[str], predictions: list[str]) -> tuple[Share, ...]:
    return tuple(
        Share(
            row=int(row),
            column=int(column),
            opacity=f"{shares[row, column] ** 0.6:.2f}",
            kind="right" if truths[row] == predictions[column] else "wrong",
            words=f"{truths[row]} predicted as {predictions[column]}: {100 * shares[row, column]:.0f}\u00a0%",
        )
        for row, column in np.argwhere(shares >= LEAST_SHARE)
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
