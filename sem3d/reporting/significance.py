"""Differences between the arms of a sweep: paired to the first arm over shared seeds, corrected for how many there are.

Seeds are paired because a seed decides the labelled subset, the order of samples and the new weights of every arm alike. The
test is Student's paired t; with two or three seeds it rests wholly on the assumption that differences are normal, which
:func:`smallest_sign_flip_p` makes plain: it is what a test without that assumption could reach at best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sem3d.reporting.intervals import PairedDifference, paired_difference

Scores = Mapping[str, Mapping[float, Mapping[int, float]]]
"""One value for each arm, label budget and seed, in this order."""
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """One arm against the first one at one label budget."""

    arm: str
    budget: float
    difference: PairedDifference
    """Arm minus first arm over the seeds that both have; positive if the arm's value is larger."""
    p_corrected: float
    """Holm's p over all comparisons of the sweep; nan for one seed."""

    @property
    def significant(self) -> bool:
        """True where chance alone would show such a difference among all comparisons less than once in twenty sweeps."""
        return self.p_corrected < LEVEL


def compare_with_first(scores: Scores, arms: Sequence[str]) -> list[Comparison]:
    """Compare every arm but the first with the first, at every budget where they share a seed; by budget, then by arm."""
    pairs: list[tuple[str, float, PairedDifference]] = []
    budgets = sorted({budget for by_budget in scores.values() for budget in by_budget})
    for budget in budgets:
        first = scores.get(arms[0], {}).get(budget, {}) if arms else {}
        for arm in arms[1:]:
            own = scores.get(arm, {}).get(budget, {})
            shared = first.keys() & own.keys()
            if shared:
                gap = paired_difference({seed: first[seed] for seed in shared}, {seed: own[seed] for seed in shared})
                pairs.append((arm, budget, gap))
    corrected = holm([gap.p for _, _, gap in pairs])
    return [Comparison(arm, budget, gap, p) for (arm, budget, gap), p in zip(pairs, corrected, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down correction of p values that are read together, in their order.

    A nan is a comparison that was not tested: it stays nan and does not count. Source: S. Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    ranked = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(ranked), 0, -1)
    corrected = np.full(len(p), math.nan)
    corrected[ranked] = np.minimum(1, np.maximum.accumulate(factors * p[ranked]))
    return [float(value) for value in corrected]


def smallest_sign_flip_p(seeds: int) -> float:
    """Return the least two-sided p that flipping the signs of ``seeds`` paired differences can give: 2 of 2^seeds outcomes."""
    return min(1.0, 2.0 ** (1 - seeds))
