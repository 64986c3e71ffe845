"""The table of arms against budgets: scores, and how they differ from the first arm's."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sem3d.reporting.formatting import Metric, counted, p_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.significance import Comparison


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The paired difference of an arm to the first one, as text."""

    amount: str
    direction: str
    """gain, loss or same."""
    range: str | None
    """None for one seed."""
    test: str
    """p values, none for one seed; and that nothing is ranked at the budget, where that is so."""
    significant: bool


@dataclass(frozen=True, kw_only=True)
class Score:
    """One arm at one budget, as text."""

    value: str
    seeds: str
    """Number of its seeds, where that is not all of them."""
    difference: Difference | None


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One arm at every budget."""

    arm: str
    cells: tuple[Score | None, ...]
    """None where no trial has finished."""


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """Arm by budget: mean and interval, and below it the paired difference to the first arm with its p value."""

    explanation: str
    head: tuple[str, ...]
    rows: tuple[ArmRow, ...]


def comparison_table(review: SweepReview) -> ComparisonTable:
    """Return the table of all arms and budgets."""
    compared = {(item.arm, item.budget): item for item in review.comparisons}

    def score(arm: str, budget: float) -> Score | None:
        by_seed = review.scores.get(arm, {}).get(budget, {})
        return _score(by_seed, compared.get((arm, budget)), review) if by_seed else None

    budgets = review.budgets.values
    shown = "mean and half of the 95 % interval" if review.repeated else "one seed"
    below = f" Below it, the difference to {review.arms[0]}." if len(review.arms) > 1 else ""
    return ComparisonTable(
        explanation=f"{review.metric.axis}: {shown}.{below}",
        head=("", *(review.budgets.short(budget) for budget in budgets)),
        rows=tuple(ArmRow(arm=arm, cells=tuple(score(arm, budget) for budget in budgets)) for arm in review.arms),
    )


def direction(difference: float, metric: Metric) -> str:
    """Return gain, loss or same; same is also what rounding leaves nothing of."""
    if math.isnan(difference) or float(metric.text(abs(difference))) == 0:
        return "same"
    return "gain" if metric.better(difference, 0.0) else "loss"


def best_other_arm(review: SweepReview, budget: float, arms: list[str]) -> str | None:
    """Return of ``arms`` but the sweep's first the one with the best mean at ``budget``; None if the first is not among them."""
    if review.arms[0] not in arms:
        return None
    means = {
        arm: interval(list(review.scores[arm][budget].values())).mean
        for arm in arms
        if arm != review.arms[0] and review.scores.get(arm, {}).get(budget)
    }
    sign = 1 if review.metric.mode == "max" else -1
    return max(means, key=lambda arm: sign * means[arm]) if means else None


def _score(by_seed: Mapping[int, float], found: Comparison | None, review: SweepReview) -> Score:
    result = interval(list(by_seed.values()))
    return Score(
        value=review.metric.with_interval(result),
        seeds="" if result.n == len(review.seeds) else counted(result.n, "seed"),
        difference=_difference(found, review) if found else None,
    )


def _difference(found: Comparison, review: SweepReview) -> Difference:
    gap, metric = found.difference, review.metric
    tested, ranked = gap.n > 1, found.budget not in review.not_ranked
    tests = [f"p {p_text(gap.p)}, Holm {p_text(found.p_corrected)}"] if tested else []
    return Difference(
        amount=metric.signed(gap.mean),
        direction=direction(gap.mean, metric) if ranked else "same",
        range=metric.range(gap) if tested else None,
        test=", ".join(tests + ([] if ranked else ["not ranked"])),
        significant=tested and ranked and found.significant,
    )
