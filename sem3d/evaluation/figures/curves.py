"""Curves over steps and over label budgets."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.ticker import FixedLocator, NullLocator

from sem3d.evaluation.figures.plot import COLOURS, MARKERS, empty_plot, rendered
from sem3d.evaluation.intervals import interval

SMOOTH_FROM = 60


def loss_curve(
    losses: Mapping[str, Sequence[tuple[int, float]]], *, title: str = "", logarithmic: bool = False
) -> UInt8[np.ndarray, "height width 3"]:
    """One line a loss from its (step, value) points; values that are not finite are left out and counted in the legend.

    A loss with 60 points or more is drawn faintly, under its centred running mean over a twentieth of them.
    """
    figure, axes = empty_plot(7.5, 4.2)
    for index, (name, points) in enumerate(losses.items()):
        steps, values = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        finite = np.isfinite(values)
        label = name if finite.all() else f"{name} ({int((~finite).sum())} not finite)"
        colour = COLOURS[index % len(COLOURS)]
        steps, values = steps[finite], values[finite]
        if len(values) < SMOOTH_FROM:
            axes.plot(steps, values, color=colour, label=label, marker="o" if len(values) == 1 else None)
            continue
        window = np.ones(2 * (len(values) // 40) + 1)
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        # dividing by how many points the window holds keeps both ends unbiased
        smooth = np.convolve(values, window, mode="same") / np.convolve(np.ones_like(values), window, mode="same")
        axes.plot(steps, smooth, color=colour, linewidth=1.8, label=label)
    if logarithmic:
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.grid(alpha=0.25)
    if losses:
        axes.legend(frameon=False)
    return rendered(figure)


def budget_curve(
    points: Mapping[str, Mapping[float, Sequence[float]]], *, metric: str = "mIoU", title: str = ""
) -> UInt8[np.ndarray, "height width 3"]:
    """Mean and 95 % interval (Student t over seeds) by label budget, one line an initialisation.

    ``points[initialisation][budget]`` holds one value a seed; budgets and values are shares in [0, 1], shown as
    percentages, budgets on a logarithmic axis. A single seed has a mark without an interval.
    """
    figure, axes = empty_plot(7.5, 4.8)
    budgets = sorted({budget for values in points.values() for budget in values})
    for index, (name, by_budget) in enumerate(points.items()):
        ordered = sorted(by_budget)
        results = [interval(by_budget[budget]) for budget in ordered]
        # marks of one budget stand a little apart, so that intervals do not hide one another
        apart = 1.018 ** (index - (len(points) - 1) / 2)
        axes.errorbar(
            [100 * budget * apart for budget in ordered],
            [100 * result.mean for result in results],
            yerr=[100 * np.nan_to_num(result.half) for result in results],
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=6,
            capsize=3,
            label=f"{name} ({_seeds([result.n for result in results])})",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([100 * budget for budget in budgets]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="labelled share of the training data (%, logarithmic)", ylabel=f"{metric} (%)", title=title)
    axes.grid(alpha=0.25)
    if points:
        axes.legend(frameon=False, title="mean and 95 % interval")
    return rendered(figure)


def _seeds(counts: Sequence[int]) -> str:
    fewest, most = min(counts), max(counts)
    amount = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{amount} seed{'' if most == 1 else 's'}"
