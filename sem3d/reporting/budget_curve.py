"""The label-budget curve: score by number of labels, one line an arm; as a picture and as tables."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sem3d.evaluation.figures.plot import COLOURS, MARKERS, empty_plot, rendered
from sem3d.reporting.formatting import Budgets, Metric
from sem3d.reporting.intervals import Interval, interval
from sem3d.reporting.significance import Scores, compare_with_first

SIZES = {"wide": (8.6, 4.6), "narrow": (4.0, 4.0)}
INK = {False: ("#1f2328", "#ffffff"), True: ("#e6e6e6", "#15181c")}
ON_DARK = {"#000000": "#e6e6e6", "#0072b2": "#4ea8e6"}
ROOM_FOR_INTERVALS, ROOM_FOR_BOUND = 0.5, 1.0
LINE_HEIGHT_INCHES = 0.2
LONGEST_NAME = 18
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that spreadsheets work out."""
LimitsByBudget = Mapping[str, Mapping[float, float]]
"""``floor`` and ``bound``, each by label budget; empty where they are not known."""
NO_MARKS: LimitsByBudget = {"floor": {}, "bound": {}}
LINES = {"floor": "--", "bound": ":"}


def draw_budget_curve(
    scores: Scores,
    arms: Sequence[str],
    metric: Metric,
    budgets: Budgets,
    limits: LimitsByBudget = NO_MARKS,
    *,
    dark: bool = False,
    size: str = "wide",
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw mean and 95 % interval (Student t over seeds) by label budget; single seeds are faint points.

    Arms are named at the ends of their lines, in the colours of Okabe and Ito, which colour-blind readers tell apart. ``limits``
    are drawn as a dashed floor and a dotted bound. The axis begins at zero, so that noise does not fill the picture; an interval
    or a bound far above all seeds runs out of it.
    """
    width, height = SIZES[size]
    figure, axes = empty_plot(width, height)
    figure.set_dpi(160)
    ink, paper = INK[dark]
    _paint(figure, axes, ink, paper)
    positions = budgets.positions()
    ends: list[tuple[str, str, float, float]] = []
    points: list[float] = []
    intervals: list[float] = []
    for index, arm in enumerate(arms):
        by_budget = {value: by_seed for value, by_seed in sorted(scores.get(arm, {}).items()) if by_seed}
        if not by_budget:
            continue
        colour, marker = _colour(index, dark), MARKERS[index % len(MARKERS)]
        seeds, marks = (
            [_beside(positions[at], shift, budgets) for at in by_budget] for shift in _shifts(index, len(arms))
        )
        for place, by_seed in zip(seeds, by_budget.values(), strict=True):
            values = [metric.scaled(value) for value in by_seed.values()]
            points += values
            if len(values) > 1:
                axes.plot([place] * len(values), values, marker, color=colour, alpha=0.4, markersize=4.5, mew=0)
        results = [interval([metric.scaled(value) for value in by_seed.values()]) for by_seed in by_budget.values()]
        intervals += [end for result in results for end in (result.low, result.high) if math.isfinite(end)]
        means, halves = [result.mean for result in results], [np.nan_to_num(result.half) for result in results]
        axes.errorbar(marks, means, yerr=halves, color=colour, marker=marker, markersize=6, capsize=3.5, linewidth=1.8)
        ends.append((arm, colour, marks[-1], means[-1]))
    _scale(axes, budgets, positions)
    drawn = {kind: {at: metric.scaled(value) for at, value in sorted(found.items())} for kind, found in limits.items()}
    if points:
        axes.set_ylim(*_reach(points, intervals, drawn, metric))
    for kind, by_budget in drawn.items():
        places, values = [positions[at] for at in by_budget], list(by_budget.values())
        axes.plot(places, values, LINES[kind], color=ink, alpha=0.6, linewidth=1.3, marker="_", markersize=9)
        if values and values[-1] <= axes.get_ylim()[1]:
            ends.append((kind, ink, places[-1], values[-1]))
    _name_ends(axes, ends, ink, height)
    axes.set(xlabel=budgets.axis, ylabel=metric.axis)
    return rendered(figure)


def curve_rows(
    scores: Scores, arms: Sequence[str], metric: Metric, limits: LimitsByBudget = NO_MARKS
) -> list[dict[str, Any]]:
    """Return one row an arm and budget: seeds, mean, interval, paired difference to the first arm, floor and bound.

    Rates are in percent, as the names of their columns then say.
    """
    compared = {(item.arm, item.budget): item for item in compare_with_first(scores, arms)}
    rows = []
    for arm in arms:
        for budget, by_seed in sorted(scores.get(arm, {}).items()):
            if not by_seed:
                continue
            result = interval(list(by_seed.values()))
            found = compared.get((arm, budget))
            gap = found.difference if found else None
            numbers = _limits(result)
            numbers |= {f"difference_{name}": value for name, value in (_limits(gap) if gap else NO_LIMITS).items()}
            numbers |= {kind: by_budget.get(budget, math.nan) for kind, by_budget in limits.items()}
            row = {"arm": arm, "budget": budget, "metric": metric.name, "seeds": result.n}
            row |= {metric.with_unit(name): metric.scaled(value) for name, value in numbers.items()}
            row |= {"p": gap.p if gap else math.nan, "p_holm": found.p_corrected if found else math.nan}
            rows.append(row)
    return rows


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV under the names of all their columns; what is nan or absent is empty.

    Text that a spreadsheet would take for a formula begins with an apostrophe, which it does not show.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _limits(result: Interval) -> dict[str, float]:
    return {"mean": result.mean, "low": result.low, "high": result.high}


NO_LIMITS = {"mean": math.nan, "low": math.nan, "high": math.nan}


def _paint(figure: Figure, axes: Axes, ink: str, paper: str) -> None:
    figure.set_facecolor(paper)
    axes.set_facecolor(paper)
    axes.tick_params(colors=ink, which="both")
    axes.spines[:].set_color(ink)
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    axes.grid(color=ink, alpha=0.15, linewidth=0.7)


def _colour(index: int, dark: bool) -> str:
    colour = COLOURS[index % len(COLOURS)]
    return ON_DARK.get(colour, colour) if dark else colour


def _shifts(index: int, arms: int) -> tuple[float, float]:
    """Return the distances of an arm's seeds and mean from its budget, so that neither hides the other or another arm."""
    slot = min(1.0, 4 / arms)
    centre = slot * (index - (arms - 1) / 2)
    return centre - 0.35 * slot, centre


def _beside(position: float, shift: float, budgets: Budgets) -> float:
    if not budgets.logarithmic:
        return position + 0.05 * shift
    ends = budgets.positions().values()
    return position * math.exp(0.016 * math.log(max(ends) / min(ends)) * shift)


def _scale(axes: Axes, budgets: Budgets, positions: dict[float, float]) -> None:
    if budgets.logarithmic:
        axes.set_xscale("log")
    elif len(positions) == 1:  # arms stand side by side at it, not along the whole axis as if they were budgets
        (only,) = positions.values()
        axes.set_xlim(only - 0.5, only + 0.5)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(positions.values()), [budgets.number(value) for value in budgets.values])


def _reach(
    points: Sequence[float], intervals: Sequence[float], limits: LimitsByBudget, metric: Metric
) -> tuple[float, float]:
    """Return lower and upper end of the axis: from zero to all seeds and floors, and as much of the rest as leaves these room."""
    points = [*points, *limits["floor"].values()]
    low, high = min(0.0, *points), max(0.0, *points)
    span = max(high - low, 1e-9)
    bottom = max(min([low, *intervals]), low - ROOM_FOR_INTERVALS * span) if low < 0 else 0.0
    top = min(max([high, *intervals]), high + ROOM_FOR_INTERVALS * span)
    bound = [value for value in limits["bound"].values() if value <= high + ROOM_FOR_BOUND * span]
    top = max([top, *bound])
    if metric.percent:
        top = min(top, max(high, 100.0))
    return bottom - (0.05 * span if bottom < 0 else 0.0), top + 0.05 * span


def _name_ends(axes: Axes, ends: list[tuple[str, str, float, float]], ink: str, height: float) -> None:
    """Write the names of the arms to the right of the plot, as near to the ends of their lines as leaves each its own line."""
    bottom, top = axes.get_ylim()
    line = LINE_HEIGHT_INCHES / (0.8 * height)
    wanted = sorted(
        ((value - bottom) / (top - bottom), name, colour, place, value) for name, colour, place, value in ends
    )
    heights = _spread([entry[0] for entry in wanted], line)
    for y, (_, name, colour, place, value) in zip(heights, wanted, strict=True):
        short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        axes.annotate(
            short,
            xy=(place, value),
            xytext=(1.03, y),
            textcoords="axes fraction",
            va="center",
            color=ink,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.2, "alpha": 0.7, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )


def _spread(heights: Sequence[float], least: float) -> list[float]:
    """Return ascending heights, moved apart to at least ``least``, their centre kept where it was."""
    if not heights:
        return []
    placed = [heights[0]]
    for height in heights[1:]:
        placed.append(max(height, placed[-1] + least))
    shift = (sum(placed) - sum(heights)) / len(placed)
    return [height - shift for height in placed]
