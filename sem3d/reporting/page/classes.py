"""Tables of one row a class and one column an arm."""

import math
from dataclasses import dataclass

from sem3d.reporting.formatting import MISSING, Metric, metric_of
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.comparison import best_other_arm, direction
from sem3d.reporting.page.content import ClassTable, SweepReview


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class, as text."""

    name: str
    values: tuple[str, ...]
    gap: str
    """Best other arm minus the first; empty where there is no other."""
    direction: str


@dataclass(frozen=True, kw_only=True)
class ClassPart:
    """One table at one budget."""

    title: str
    """Stands above the first part of a table, where there are several tables."""
    summary: str
    head: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    opened: bool


def class_parts(review: SweepReview) -> list[ClassPart]:
    """Return for every table and budget one row a class: its arms, and the best other arm minus the first."""
    names = list(dict.fromkeys(item.name for item in review.class_tables))
    parts = []
    for name in names:
        tables = [item for item in review.class_tables if item.name == name]
        metric = metric_of(name, review.metric.mode, [value for item in tables for value in item.values.values()])
        title = metric.axis if len(names) > 1 else ""
        for budget in review.budgets.values:
            here = [item for item in tables if item.budget == budget and item.arm in review.arms]
            if here:
                parts.append(_part(review, here, metric, title=title))
                title = ""
    return parts


def _part(review: SweepReview, found: list[ClassTable], metric: Metric, *, title: str) -> ClassPart:
    """Return the table of what ``found`` at one budget says; never without an arm."""
    budget = found[0].budget
    arms = [arm for arm in review.arms if any(item.arm == arm for item in found)]
    other = best_other_arm(review, budget, arms)
    names = dict.fromkeys(name for item in found for name in item.values)
    return ClassPart(
        title=title,
        summary=f"{metric.axis} at {review.budgets.text(budget)}",
        head=("class", *arms, *([f"{other} − {arms[0]}"] if other else [])),
        rows=tuple(_row(name, found, arms, other, metric) for name in names),
        opened=budget == review.budgets.values[0],
    )


def _row(name: str, found: list[ClassTable], arms: list[str], other: str | None, metric: Metric) -> ClassRow:
    values = {
        arm: [item.values[name] for item in found if item.arm == arm and math.isfinite(item.values.get(name, math.nan))]
        for arm in arms
    }
    results = {arm: interval(of_arm) for arm, of_arm in values.items() if of_arm}
    means = {arm: result.mean for arm, result in results.items()}
    gap = means.get(other, math.nan) - means.get(arms[0], math.nan) if other else math.nan
    return ClassRow(
        name=name,
        values=tuple(metric.with_interval(results[arm]) if arm in results else MISSING for arm in arms),
        gap=metric.signed(gap) if other else "",
        direction=direction(gap, metric),
    )
