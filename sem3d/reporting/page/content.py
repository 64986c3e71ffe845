"""Everything that a page about a sweep is made from, as plain values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from sem3d.reporting.formatting import Budgets, Metric
from sem3d.reporting.significance import Comparison, Scores, compare_with_first


@dataclass(frozen=True, kw_only=True)
class TrialLine:
    """One trial as a row of the table of all trials."""

    arm: str
    budget: float
    seed: int
    status: str
    """finished, stopped or failed."""
    value: float
    """The sweep's metric; nan where there is none."""
    settings: Mapping[str, Any]
    """Those that differ from trial to trial."""
    steps: int
    seconds: float
    error: str = ""
    run_id: str = ""
    """MLflow run."""
    link: str = ""
    """Address of the MLflow run on a server; empty for a local store."""
    counted: bool = True
    """True for a point of the curve."""


@dataclass(frozen=True)
class ClassTable:
    """One number a class, of one trial."""

    arm: str
    budget: float
    seed: int
    name: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Confusion:
    """Counts by truth (row) and prediction (column), of one trial."""

    arm: str
    budget: float
    seed: int
    name: str
    classes: tuple[str, ...]
    counts: Float64[np.ndarray, "class class"]
    colors: tuple[str, ...] = ()
    """Colour of each class in pictures, ``#rrggbb``, where they have some."""


@dataclass(frozen=True)
class Training:
    """Losses of one trial, by step."""

    arm: str
    budget: float
    seed: int
    steps: tuple[int, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """A figure of one trial, on disk."""

    arm: str
    budget: float
    seed: int
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Marks between which the scores at one budget and seed lie, in the sweep's metric."""

    budget: float
    seed: int
    floor: float
    """Score of a predictor that never sees the sample; nan where it is not known."""
    bound: float
    """Score of a learner that is right about all that the labels show; nan where it is not known."""
    never_shown: tuple[str, ...] = ()
    """Held-out classes that the budget does not show."""
    basis: str = ""
    """Share of the samples that they were made from, where that is not all."""
    clear: float = 2.0
    """Times the floor that the best arm must have for arms to be ranked."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Figures of one pretraining's network, before and after."""

    arms: tuple[str, ...]
    """Those that start from it."""
    part: str = ""
    """Name of the pretraining in a chain of several."""
    seed: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    basis: str = ""
    picture: Path | None = None
    """Both networks on the same sample."""


@dataclass(frozen=True, kw_only=True)
class SweepReview:
    """Everything a reviewer is shown."""

    name: str
    space: str
    metric: Metric
    arms: tuple[str, ...]
    """The first is the one that the others are compared with."""
    budgets: Budgets
    seeds: tuple[int, ...]
    scores: Scores
    """Of the trials that count."""
    trials: tuple[TrialLine, ...]
    class_tables: tuple[ClassTable, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    pictures: tuple[Picture, ...] = ()
    trainings: tuple[Training, ...] = ()
    shared_settings: Mapping[str, Any] = field(default_factory=dict)
    estimate: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    pretraining_seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each pretraining, by the name of its line."""
    champion: Mapping[str, str] = field(default_factory=dict)
    """Facts about the registered checkpoint, by label."""
    made: Mapping[str, str] = field(default_factory=dict)
    """How the sweep was made, by label: day, command, commit."""
    notes: tuple[str, ...] = ()
    """Remarks that a reader needs: the choice of the numbers, and gaps in them."""
    limits: tuple[Limits, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def comparisons(self) -> list[Comparison]:
        """Every arm against the first."""
        return compare_with_first(self.scores, self.arms)

    @property
    def seeds_by_cell(self) -> list[int]:
        """Number of seeds of every arm and budget that has one."""
        return [len(by_seed) for by_budget in self.scores.values() for by_seed in by_budget.values() if by_seed]

    @property
    def repeated(self) -> bool:
        """True where any arm and budget has more than one seed."""
        return any(count > 1 for count in self.seeds_by_cell)

    def mean(self, arm: str, budget: float) -> float:
        """Return the mean of an arm's seeds at a budget; nan where it has none."""
        values = [value for value in self.scores.get(arm, {}).get(budget, {}).values() if math.isfinite(value)]
        return fmean(values) if values else math.nan

    def best(self, budget: float) -> float:
        """Return the best mean of all arms at a budget; nan where none has a score."""
        means = [mean for arm in self.arms if math.isfinite(mean := self.mean(arm, budget))]
        return (max(means) if self.metric.mode == "max" else min(means)) if means else math.nan

    def limit(self, kind: Literal["floor", "bound"], budget: float) -> float:
        """Return the mean floor or bound of a budget's seeds; nan where there is none."""
        values = [getattr(item, kind) for item in self.limits if item.budget == budget]
        known = [value for value in values if math.isfinite(value)]
        return fmean(known) if known else math.nan

    @property
    def not_ranked(self) -> tuple[float, ...]:
        """Budgets where no arm stands clear of the floor, twice as high unless the method says otherwise.

        There it is no question of which arm learnt more. Where less is more there is no such rule.
        """
        if self.metric.mode != "max":
            return ()
        return tuple(
            budget for budget in self.budgets.values if self.best(budget) < self.clear * self.limit("floor", budget)
        )

    @property
    def clear(self) -> float:
        """Times the floor from which arms are ranked."""
        return max((item.clear for item in self.limits), default=2.0)

    @property
    def clear_text(self) -> str:
        """``twice``, or for example ``1.25 times``."""
        return "twice" if self.clear == 2 else f"{self.clear:g} times"
