"""Evidence for a paper's claim: a sweep of a named size, and what it found as one record that outlives the sweep.

A space of ``tune_spaces`` names its sizes in ``SIZES``: ``laptop``, ``gpu``, ``paper``. Each says which arms, budgets and seeds
are compared, on which generated world (none: the paper's data, which the user has), and with which settings.
"""

import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from sem3d.config import of_fields
from sem3d.errors import UserError, near
from sem3d.files import read_json, write_json
from sem3d.methods import method_class
from sem3d.registers import resolve
from sem3d.reporting.formatting import MISSING, Metric, metric_of, p_text, seeds_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview, mark_lines
from sem3d.reporting.tables import Cell, Table
from sem3d.sweeps.other_metrics import lines_beside
from sem3d.sweeps.results import read_review
from sem3d.sweeps.space import PACKAGE, Space, space_names, written_spaces

ON_THE_PAPERS_DATA = "paper"
ROOT = Path(__file__).parents[2]
DIGITS = 6
"""Decimals of numbers in a record."""
LARGEST = 1e100
"""Of the numbers of a record: their squares are added up."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size of a comparison."""

    arms: tuple[str, ...]
    budgets: tuple[float, ...]
    seeds: int
    world: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the generated world's configuration that differ from the small one; empty where data must be named."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Leaves of every trial."""
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    """Leaves of every pretraining that has them."""
    preset: str = ""
    max_concurrent: int = 0
    """Trials at a time on a cluster that could hold more; 0: as many as it holds."""


def sizes_of(space: str) -> dict[str, Size]:
    """Return the sizes of a space; raise :class:`UserError` where it has none."""
    found = getattr(import_module(f"{PACKAGE}.{space}"), "SIZES", {}) if space in written_spaces() else {}
    if not found:
        able = [name for name in written_spaces() if hasattr(import_module(f"{PACKAGE}.{name}"), "SIZES")]
        choice = f"choose one of {', '.join(able)}"
        if space not in space_names():
            raise UserError(f"unknown space '{space}': {choice}{near(space, able)}")
        raise UserError(f"space {space} has no sizes: {choice}, or run python -m jobs.tune {space}")
    return {
        name: Size(**content | {"budgets": tuple(float(budget) for budget in content["budgets"])})
        for name, content in found.items()
    }


def tune_arguments(
    space: str, name: str, size: Size, root: str, storage: str, generated: str, dry_run: bool = False
) -> list[str]:
    """Return the arguments of ``jobs.tune`` that run a size: the same sweep each time, so that it resumes. With ``dry_run`` they
    say what that takes.

    Raises :class:`UserError` where the size is for the paper's data and none are named.
    """
    if not root and not size.world:
        raise UserError(f"size {name} of {space} is for the paper's data: name their folder in --data.root")
    words = [space, "--storage", storage, "--name", f"evidence-{space}-{name}"]
    words += ["--dry-run"] if dry_run else ["--probe-steps", "0"]
    words += [
        "--arms",
        *size.arms,
        "--budgets",
        *(f"{budget:g}" for budget in size.budgets),
        "--seeds",
        str(size.seeds),
    ]
    words += ["--preset", size.preset] if size.preset else []
    words += ["--data.root", root] if root else []
    if not root:
        for field_name, value in size.world.items():
            words += [f"--{generated}.{field_name.replace('_', '-')}", str(value)]
    pairs = [f"{leaf}={value}" for leaf, value in size.settings.items()]
    pairs += [f"pretrain.{leaf}={value}" for leaf, value in size.pretraining.items()]
    return [*words, "--set", *pairs] if pairs else words


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """Scores of one arm at one budget, as records have them: rates are shares of 1."""

    budget: str
    arm: str
    paper: float | None
    """The paper's number, on the paper's data."""
    scores: list[float]
    """One a seed."""
    differences: list[float] = field(default_factory=list)
    """Arm minus first arm, one for each seed that both have."""
    p: float | None = None
    """Holm's, over all comparisons of the sweep."""
    floor: float | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Findings of a comparison of a named size, and how they were made."""

    space: str
    size: str
    command: str
    day: str
    revision: str
    hardware: str
    data: str
    metric: str
    """Key of a trial's metrics."""
    mode: Literal["max", "min"]
    seconds: float
    cpu_hours: float
    gpu_hours: float
    rows: list[EvidenceRow]
    marks: list[str]
    """Lines on floors, bounds, and networks before and after pretraining."""


def evidence_of(folder: Path, space: Space, size: str, command: str) -> Evidence:
    """Return what the sweep in ``folder`` found so far; raise :class:`UserError` where no trial has a score."""
    review = read_review(folder)
    if not any(by_seed for by_budget in review.scores.values() for by_seed in by_budget.values()):
        raise UserError(f"{folder} has no scored trial: run {command} again")
    spent = review.spent
    return Evidence(
        space=space.name,
        size=size,
        command=command,
        day=date.today().isoformat(),
        revision=revision(),
        hardware=hardware(spent.get("gpu_hours", 0.0) > 0),
        data=Path(str(review.shared_settings.get("data.root", ""))).name,
        metric=review.metric.name,
        mode=review.metric.mode,
        seconds=round(spent.get("seconds", 0.0), 1),
        cpu_hours=round(spent.get("cpu_hours", 0.0), 3),
        gpu_hours=round(spent.get("gpu_hours", 0.0), 3),
        rows=_rows(review, _papers_scores(space, review)),
        marks=[*mark_lines(review), *lines_beside(folder, space, review)],
    )


def _papers_scores(space: Space, review: SweepReview) -> Mapping[tuple[str, float], float]:
    """Return the paper's numbers by arm and budget, rates as shares of 1."""
    methods = [arm.trained.method for arm in space.arms] + [
        part.method for arm in space.arms for part in arm.pretrainings
    ]
    published = next((found for name in methods if (found := method_class(name).published)), "")
    found = resolve(f"{published.partition(':')[0]}:paper_scores")(review) if published else {}
    return {place: value / 100 if review.metric.percent else value for place, value in found.items()}


def _rows(review: SweepReview, paper: Mapping[tuple[str, float], float]) -> list[EvidenceRow]:
    p_values = {(found.arm, found.budget): found.p_corrected for found in review.comparisons}
    rows = []
    for budget in review.budgets.values:
        first = review.scores.get(review.arms[0], {}).get(budget, {})
        for arm in review.arms:
            by_seed = review.scores.get(arm, {}).get(budget)
            if not by_seed:
                continue
            gaps = [by_seed[seed] - first[seed] for seed in sorted(by_seed.keys() & first.keys())]
            rows.append(
                EvidenceRow(
                    budget=review.budgets.short(budget),
                    arm=arm,
                    paper=_number(paper.get((arm, budget), math.nan)),
                    scores=[round(by_seed[seed], DIGITS) for seed in sorted(by_seed)],
                    differences=[] if arm == review.arms[0] else [round(gap, DIGITS) for gap in gaps],
                    p=_number(p_values.get((arm, budget), math.nan)),
                    floor=_number(review.limit("floor", budget)),
                )
            )
    return rows


def _number(value: float) -> float | None:
    """Return a number as JSON may hold it; None for nan."""
    return round(float(value), DIGITS) if math.isfinite(value) else None


def write_evidence(path: Path, evidence: Evidence) -> None:
    """Write evidence as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(evidence))


def read_evidence(path: Path) -> Evidence:
    """Return what :func:`write_evidence` wrote; raise :class:`UserError` for anything else."""
    stored = read_json(path)
    try:
        rows = [EvidenceRow(**of_fields(row, EvidenceRow)) for row in stored.pop("rows")]
        fields: dict[str, Any] = of_fields(stored, Evidence) | {"rows": rows}
        evidence = Evidence(**fields)
        numbers = [one for row in rows for one in (*row.scores, *row.differences, row.paper, row.p, row.floor)]
        numbers += [evidence.seconds, evidence.cpu_hours, evidence.gpu_hours]
        if not all(one is None or abs(one) <= LARGEST for one in numbers):
            raise ValueError(f"a number in it is not finite, or beyond {LARGEST:g}")
        return evidence
    except (TypeError, KeyError, AttributeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is no evidence of python -m jobs.evidence: {error}") from error


def evidence_table(evidence: Evidence) -> Table:
    """Return the table *paper / ours, paper's protocol / ours, here*, with differences to the first arm."""
    protocol, here = "ours, paper's protocol", "ours, here"
    ours, metric = protocol if evidence.size == ON_THE_PAPERS_DATA else here, metric_of_evidence(evidence)
    rows: list[dict[str, Cell]] = []
    for row in evidence.rows:
        cells: dict[str, Cell] = {"labels": row.budget, "arm": row.arm, "paper": metric.text(row.paper)}
        cells |= {protocol: MISSING, here: MISSING} | {ours: metric.with_interval(interval(row.scores))}
        gap = interval(row.differences) if row.differences else None
        cells["difference"] = metric.with_range(gap) if gap else MISSING
        rows.append(cells | {"p": p_text(math.nan if row.p is None else row.p), "floor": metric.text(row.floor)})
    return rows, ["labels", "arm", "paper", protocol, here, "difference", "p", "floor"]


def metric_of_evidence(evidence: Evidence) -> Metric:
    """Return the metric of all scores, which says how they are written."""
    return metric_of(evidence.metric, evidence.mode, [score for row in evidence.rows for score in row.scores])


def about(evidence: Evidence) -> list[str]:
    """Return lines on how evidence was made: metric, seeds, data, hardware, time, revision, command, and its marks."""
    seeds = seeds_text([len(row.scores) for row in evidence.rows])
    took = f"{evidence.seconds / 60:.0f} min, {evidence.cpu_hours:.2f} CPU-hours, {evidence.gpu_hours:.2f} GPU-hours"
    return [
        f"{metric_of_evidence(evidence).axis}, mean and 95 % interval over {seeds}, on {evidence.data}; "
        f"{evidence.hardware}; {took}; revision {evidence.revision}, {evidence.day}.",
        *evidence.marks,
        evidence.command,
    ]


def revision() -> str:
    """Return the commit of this checkout, with a + where files differ from it; unknown outside one."""
    try:
        said = [
            subprocess.run(
                ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain"))
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said[0].strip() + ("+" if said[1].strip() else "")


def hardware(gpu: bool) -> str:
    """Return the name of the GPU that trainings used, else of the processor, with the number of its cores."""
    if gpu:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name(0)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def listed(lines: Sequence[str]) -> str:
    """Return lines as a list in Markdown, the last one as a command."""
    return "\n".join([*(f"- {line}" for line in lines[:-1]), "", "```bash", lines[-1], "```"])
