"""Everything that a page about a sweep is made from, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Picture:
    """A figure of one trial, on disk."""

    arm: str
    budget: float
    seed: int
    name: str
    path: Path


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
    shared_settings: Mapping[str, Any] = field(default_factory=dict)
    estimate: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    champion: Mapping[str, str] = field(default_factory=dict)
    """Facts about the registered checkpoint, by label."""
    notes: tuple[str, ...] = ()
    """Remarks that a reader needs: the choice of the numbers, and gaps in them."""

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
