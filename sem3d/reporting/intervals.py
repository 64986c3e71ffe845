"""Statistics of a few seeds: mean, spread, a 95 % interval, and the difference of two settings (Student's t)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sem3d.errors import UserError


@dataclass(frozen=True)
class Interval:
    """Mean of ``n`` values, their sample standard deviation, and half the width of the interval of the mean.

    ``sd`` and ``half`` are nan for one value: one seed says nothing about the spread.
    """

    mean: float
    sd: float
    half: float
    n: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half


@dataclass(frozen=True)
class PairedDifference(Interval):
    """Interval of candidate minus baseline over shared seeds, and the two-sided p value of the paired t test."""

    p: float


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return mean and Student-t interval of values from independent seeds.

    Raises :class:`UserError` if there is no value.
    """
    if len(values) == 0:
        raise UserError("no values to average: no run of this setting has finished")
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1:
        return Interval(mean=float(array[0]), sd=math.nan, half=math.nan, n=1)
    sd = float(array.std(ddof=1))
    from scipy import special

    half = float(special.stdtrit(len(array) - 1, (1 + confidence) / 2)) * sd / math.sqrt(len(array))
    return Interval(mean=float(array.mean()), sd=sd, half=half, n=len(array))


def paired_difference(
    baseline: Mapping[int, float], candidate: Mapping[int, float], confidence: float = 0.95
) -> PairedDifference:
    """Return candidate minus baseline, seed by seed; both map a seed to its value.

    ``p`` is nan for one seed, 1 if no seed differs, 0 if all differ by exactly the same amount. Raises
    :class:`UserError` unless both have the same seeds.
    """
    if set(baseline) != set(candidate):
        lonely = ", ".join(str(seed) for seed in sorted(set(baseline) ^ set(candidate)))
        raise UserError(f"seeds {lonely} ran for one setting only: a paired difference needs the same seeds for both")
    differences = [candidate[seed] - baseline[seed] for seed in sorted(baseline)]
    gap = interval(differences, confidence)
    return PairedDifference(mean=gap.mean, sd=gap.sd, half=gap.half, n=gap.n, p=_two_sided_p(gap))


def _two_sided_p(gap: Interval) -> float:
    if gap.n == 1:
        return math.nan
    if gap.sd == 0:
        return 1.0 if gap.mean == 0 else 0.0
    from scipy import special

    return float(2 * special.stdtr(gap.n - 1, -abs(gap.mean) / (gap.sd / math.sqrt(gap.n))))
