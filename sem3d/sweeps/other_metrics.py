"""Other metrics of a sweep's trials than the one that its arms are compared by, as evidence tells them."""

import math
from pathlib import Path

from sem3d.reporting.formatting import metric_of
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview
from sem3d.sweeps.records import read_sweep, read_trials
from sem3d.sweeps.results import counting_trials, scores_of
from sem3d.sweeps.space import Space


def lines_beside(folder: Path, space: Space, review: SweepReview) -> list[str]:
    """Return a line on each other metric that a space names: every arm's mean and interval, and its difference to the first."""
    counting, _ = counting_trials(read_sweep(folder), read_trials(folder))
    lines = []
    for name in space.also:
        told = [trial for trial in counting if math.isfinite(trial.metrics.get(name, math.nan))]
        metric = metric_of(name, "max", [trial.metrics[name] for trial in told])
        for budget, by_arm in by_budget(scores_of(told, name)).items():
            first = by_arm.get(review.arms[0], {})
            words = []
            for arm in (arm for arm in review.arms if arm in by_arm):
                gaps = [value - first[seed] for seed, value in by_arm[arm].items() if seed in first]
                gap = f" ({metric.signed(interval(gaps).mean)})" if gaps and arm != review.arms[0] else ""
                words.append(f"{arm} {metric.with_interval(interval(list(by_arm[arm].values())))}{gap}")
            lines.append(f"{metric.axis} at {review.budgets.short(budget)}: {', '.join(words)}")
    return lines


def by_budget(scores: dict[str, dict[float, dict[int, float]]]) -> dict[float, dict[str, dict[int, float]]]:
    """Return scores by budget, arm and seed, of those by arm, budget and seed."""
    found: dict[float, dict[str, dict[int, float]]] = {}
    for arm, of_arm in scores.items():
        for budget, by_seed in of_arm.items():
            found.setdefault(budget, {})[arm] = by_seed
    return dict(sorted(found.items()))
