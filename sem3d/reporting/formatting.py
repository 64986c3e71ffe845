"""Results as text for people: metrics, label budgets, durations, p values; the same in pictures, pages and cards."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sem3d.reporting.intervals import Interval

SPELLINGS = {"miou": "mIoU", "iou": "IoU", "ap": "AP", "map": "mAP", "pq": "PQ", "f1": "F1", "pck": "PCK"}
RATES = frozenset({*SPELLINGS, "accuracy", "rate", "precision", "recall", "share"})
MISSING = "–"


@dataclass(frozen=True)
class Metric:
    """A number that trials are compared by; a rate in [0, 1] is written in percent."""

    name: str
    mode: Literal["max", "min"]
    percent: bool

    @property
    def title(self) -> str:
        """``miou_scannet`` is ``mIoU scannet``."""
        return " ".join(SPELLINGS.get(word.lower(), word) for word in re.split(r"[_\s]+", self.name))

    @property
    def axis(self) -> str:
        """The title with its unit and, where less is more, with that."""
        return self.title + (" (%)" if self.percent else "") + (", lower is better" if self.mode == "min" else "")

    @property
    def named(self) -> str:
        """The key as it is stored, with the unit that its numbers are shown in."""
        return self.with_unit(self.name)

    def with_unit(self, name: str) -> str:
        """Return the name of a column of such numbers, as they are shown."""
        return f"{name} (%)" if self.percent else name

    def scaled(self, value: float) -> float:
        """Return the number as it is shown."""
        return round(100 * value, 10) if self.percent else value

    def text(self, value: float | None) -> str:
        """Return one value; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return MISSING
        return f"{round(100 * value, 1) + 0.0:.1f}" if self.percent else f"{value + 0.0:.3g}"

    def signed(self, value: float) -> str:
        """Return a difference, with its sign; without one where nothing is left of it after rounding."""
        if not math.isfinite(value):
            return MISSING
        text = self.text(abs(value))
        return text if not float(text) else ("−" if value < 0 else "+") + text

    def same(self, difference: float, at: float) -> bool:
        """Return whether two values near ``at`` that differ by so much are the same as they are shown."""
        if self.percent or not difference or not at:
            return float(self.text(abs(difference))) == 0
        return abs(difference) < 0.5 * 10 ** (math.floor(math.log10(abs(at))) - 2)

    def range(self, result: Interval) -> str:
        """Return ``1.2 .. 5.0``, or nothing where one seed says nothing about the spread."""
        if math.isnan(result.half):
            return ""
        low, high = (self.text(end).replace("-", "−") for end in (result.low, result.high))
        return f"{low} .. {high}"

    def with_range(self, difference: Interval) -> str:
        """Return a difference as ``+2.0 (−1.2 .. 5.0)``, or ``+2.0`` for one seed."""
        limits = self.range(difference)
        return self.signed(difference.mean) + (f" ({limits})" if limits else "")

    def with_interval(self, result: Interval) -> str:
        """Return ``31.0 ± 2.1``, or ``31.0`` for one seed."""
        half = "" if math.isnan(result.half) else f" ± {self.text(result.half)}"
        return self.text(result.mean) + half

    def better(self, value: float, than: float) -> bool:
        """Return whether ``value`` beats ``than``."""
        return value > than if self.mode == "max" else value < than


def metric_of(name: str, mode: Literal["max", "min"], values: Iterable[float]) -> Metric:
    """Return the metric ``name``; it is in percent if its name says that it is a rate and no value says otherwise."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return Metric(name, mode, bool(words & RATES) and all(abs(value) <= 1 for value in values if math.isfinite(value)))


def in_a_line(name: str, value: float) -> str:
    """Return a metric as lines of progress show it: ``miou_scannet (%) 7.312``."""
    metric = metric_of(name, "max", [value])
    return f"{metric.named} {metric.scaled(value):.4g}"


def budget_text(budget: float) -> str:
    """Return a label budget as it is asked for; infinity is all labels there are."""
    return "all" if math.isinf(budget) else f"{budget:g}"


@dataclass(frozen=True)
class Budgets:
    """Label budgets of a sweep: shares of the labels (0.2), or numbers of things (20, infinity for all)."""

    values: tuple[float, ...]
    unit: str = ""
    """The thing that a number counts, in the singular, such as *labelled frame*; empty: they are shares of the labels."""

    @property
    def shares(self) -> bool:
        """True for shares of the labels."""
        return not self.unit

    @property
    def logarithmic(self) -> bool:
        """True where a logarithmic axis can hold them and shows more than one."""
        return len(self.values) > 1 and min(self.values) > 0

    def short(self, budget: float) -> str:
        """Return ``20 %``, ``20`` or ``all``, and ``1 view`` where a number is not of labelled things."""
        if self.shares or self.unit.startswith("labelled "):
            return f"{self.number(budget)} %" if self.shares else self.number(budget)
        counted = self.unit.rpartition(" ")[2]
        return f"{self.number(budget)} {plural(counted, budget)}"

    def number(self, budget: float) -> str:
        """Return ``20`` or ``all``; shares are in percent."""
        return f"{100 * budget:.4g}" if self.shares else budget_text(budget)

    def text(self, budget: float) -> str:
        """Return ``20 % of labels`` or ``20 labelled frames``."""
        if self.shares:
            return f"{self.short(budget)} of labels"
        return f"{self.number(budget)} {plural(self.unit, budget)}"

    def positions(self) -> dict[float, float]:
        """Return the place of each budget on the axis; all labels stand one mean step beyond the largest number."""
        if not self.logarithmic:
            return {value: float(place) for place, value in enumerate(self.values)}
        numbers = [value for value in self.values if math.isfinite(value)] or [1.0]
        step = (max(numbers) / min(numbers)) ** (1 / (len(numbers) - 1)) if len(numbers) > 1 else 4.0
        return {value: value if math.isfinite(value) else max(numbers) * step for value in self.values}

    @property
    def axis(self) -> str:
        """Caption of the axis."""
        what = "share of labels used (%)" if self.shares else plural(self.unit, 2)
        return f"{what}, logarithmic" if self.logarithmic else what


def plural(word: str, count: int | float) -> str:
    """Return ``seed`` for one, else ``seeds``."""
    return word if count == 1 else f"{word}s"


def counted(count: int, word: str) -> str:
    """Return ``3 seeds``."""
    return f"{count} {plural(word, count)}"


def seeds_text(counts: Sequence[int]) -> str:
    """Return ``3 seeds``, or ``2 to 3 seeds``."""
    fewest, most = min(counts), max(counts)
    return counted(most, "seed") if fewest == most else f"{fewest} to {most} seeds"


def p_text(p: float) -> str:
    """Return a p value with two digits, never as zero."""
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def duration_text(seconds: int | float) -> str:
    """Return ``48 s``, ``12 min 3 s``, ``3 h 5 min``."""
    if not math.isfinite(seconds):
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
