"""The plan of a sweep: which trainings, each named by what is asked of it, and which pretraining each starts from."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sem3d.config import Experiment, digest, flatten, override
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.reporting.formatting import budget_text
from sem3d.runs.run_folder import (
    CIRCUMSTANCES,
    content_name,
    identity,
    read_result,
    run_folder,
    run_name,
)
from sem3d.runs.sources import data_digest
from sem3d.sweeps.space import Arm, Space

PLACES = (
    "run.storage",
    "run.workers",
    "run.min_workers",
    "run.device",
    "run.cpus_per_worker",
    "run.tracking_uri",
    "run.experiment",
    "run.max_failures",
)
"""Leaves that say where a training runs; a pretraining runs where its trial does."""
FIXED_SUBSET = "data.budget_list"
"""Leaf of a file that names the labelled set, whatever the budget and its seed."""
ALL_ITEMS = 0
"""What a setting that counts labelled items takes for all of them; a budget says infinity."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    space: Space
    arms: tuple[str, ...]
    budgets: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves of every trial, and of every pretraining as far as these are shared."""
    pretraining_settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves of every pretraining."""
    name: str = ""
    """Name of the sweep; empty: space and digest of what is asked, so that the same request resumes."""
    search: int = 0
    """Trials an arm that search its hyperparameters before the comparison."""
    search_budget: float = 0.0
    """Label budget of the search; 0: the largest one that is a number."""
    storage: Path = Path("runs")

    @property
    def budget_of_search(self) -> float:
        """The label budget at which hyperparameters are searched."""
        numbers = [budget for budget in self.budgets if math.isfinite(budget)]
        return self.search_budget or max(numbers or self.budgets)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """A training whose last checkpoint trials start from; the same for all that ask the same of it."""

    key: str
    """Name of its run, made from its settings and, by :func:`by_content`, its data: other sweeps find it too."""
    arm: str
    """The first arm that needs it."""
    seed: int
    method: str
    experiment: Experiment

    @property
    def label(self) -> str:
        """What it is called in lines for people."""
        return f"pretraining for {self.arm}, seed {self.seed}"

    def checkpoint(self) -> str:
        """Its last checkpoint, or "" as long as it is not finished."""
        outcome = read_result(run_folder(self.method, self.experiment))
        return outcome["checkpoint_last"] if outcome else ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One arm at one budget and seed."""

    key: str
    """Digest of what is asked."""
    arm: str
    budget: float
    seed: int
    method: str
    experiment: Experiment
    """``init`` is still to be set where the trial starts from a pretraining."""
    settings: dict[str, Any]
    """Dotted leaves that differ from the preset and belong to this trial."""
    pretraining: Pretraining | None = None

    @property
    def label(self) -> str:
        """What it is called in lines for people."""
        return f"{self.arm}, budget {budget_text(self.budget)}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All trainings of a sweep."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def pretrainings(self) -> tuple[Pretraining, ...]:
        """Each pretraining once."""
        return tuple({trial.pretraining.key: trial.pretraining for trial in self.trials if trial.pretraining}.values())


def plan(request: Request, best: dict[str, dict[str, Any]] | None = None) -> Plan:
    """All trials of a request, seed by seed so that every arm's curve is whole early; ``best`` has settings by arm.

    Raises :class:`UserError` for a leaf that an arm does not have, or one that the sweep itself varies.
    """
    asked = [trial_of(request, *cell, {}) for cell in cells(request)]
    name = request.name or f"{request.space.name}-{_digest_of(request, asked)}"
    if Path(name).name != name or name.startswith("."):
        raise UserError(f"the sweep's name '{name}' must be a plain folder name")
    if best:
        asked = [trial_of(request, arm, budget, seed, best.get(arm, {})) for arm, budget, seed in cells(request)]
    return Plan(name=name, trials=tuple(with_leaves(trial, {"run.name": f"{name}-{trial.key}"}) for trial in asked))


def by_content(whole: Plan) -> Plan:
    """``whole`` with its pretrainings named by their settings and the content of their data, not by where these lie.

    So the same data elsewhere are not pretrained on again, and other data in the same place are.
    """
    named: dict[str, Pretraining] = {}
    for before in whole.pretrainings:
        data = data_digest(method_class(before.method), before.experiment)
        name = content_name(before.method, before.experiment, data)
        named[before.key] = replace(before, key=name, experiment=override(before.experiment, {"run.name": name}))

    def renamed(trial: Trial) -> Trial:
        if trial.pretraining is None:
            return trial
        now = named[trial.pretraining.key]
        return replace(trial, pretraining=now, settings=trial.settings | {"init": now.key})

    return replace(whole, trials=tuple(map(renamed, whole.trials)))


def cells(request: Request) -> list[tuple[str, float, int]]:
    """Arm, budget and seed of every trial."""
    return [
        (arm, budget, seed)
        for seed in request.seeds
        for budget in request.budgets
        for arm in request.arms
        if math.isfinite(budget) or not request.space.arm(arm).needs_unlabelled
    ]


def with_leaves(trial: Trial, changes: dict[str, Any]) -> Trial:
    """``trial`` with some leaves of its experiment changed."""
    return replace(trial, experiment=override(trial.experiment, changes))


def trial_of(request: Request, arm_name: str, budget: float, seed: int, found: dict[str, Any]) -> Trial:
    """The trial of one arm at one budget and seed, with the hyperparameters that were ``found`` for the arm."""
    space, arm = request.space, request.space.arm(arm_name)
    start = arm.trained.experiment()
    varied = {space.budget: _as_budget(budget, flatten(start)[space.budget], space.budget)}
    varied |= dict.fromkeys(arm.trained.seed_leaves, seed)
    clash = sorted(varied.keys() & request.settings.keys())
    if clash:
        raise UserError(f"{clash[0]} is what the sweep varies: choose --budgets and --seeds instead of setting it")
    experiment = override(start, {**found, **request.settings, **varied, "run.storage": str(request.storage)})
    if flatten(experiment).get(FIXED_SUBSET):
        raise UserError(
            f"{FIXED_SUBSET} makes one labelled set of every budget and seed of a sweep: leave it out, or train on it with "
            f"python -m jobs.train {arm.trained.method}"
        )
    before = _pretraining_of(request, arm, experiment, seed)
    asked = {
        "method": arm.trained.method,
        "arm": arm.name,
        "budget": budget,
        "seed": seed,
        "experiment": identity(experiment),
        "pretraining": before and {"method": before.method, "experiment": identity(before.experiment)},
    }
    return Trial(
        key=digest(asked),
        arm=arm.name,
        budget=budget,
        seed=seed,
        method=arm.trained.method,
        experiment=experiment,
        settings=_differences(arm, experiment, set(varied)) | ({"init": before.key} if before else {}),
        pretraining=before,
    )


def _pretraining_of(request: Request, arm: Arm, trained: Experiment, seed: int) -> Pretraining | None:
    part = arm.pretrained
    if part is None:
        return None
    start = part.experiment()
    shared = {
        leaf: value
        for leaf, value in flatten(trained).items()
        if leaf in flatten(start) and (leaf in PLACES or leaf.startswith(request.space.shared))
    }
    seeds = dict.fromkeys(part.seed_leaves, seed)
    experiment = override(start, {**shared, **seeds, **request.pretraining_settings})
    return Pretraining(
        key=run_name(part.method, experiment), arm=arm.name, seed=seed, method=part.method, experiment=experiment
    )


def _as_budget(budget: float, like: Any, leaf: str) -> float | int:
    if isinstance(like, int) and budget == math.inf:
        return ALL_ITEMS
    if isinstance(like, int) and not (budget >= 1 and budget == budget // 1):
        raise UserError(f"{leaf} counts labelled items: {budget:g} must be a whole number from 1 on, or inf for all")
    return int(budget) if isinstance(like, int) else budget


def _differences(arm: Arm, experiment: Experiment, varied: set[str]) -> dict[str, Any]:
    preset = flatten(method_class(arm.trained.method).presets[arm.trained.preset]())
    own = {
        leaf: value
        for leaf, value in flatten(experiment).items()
        if value != preset[leaf] and leaf not in CIRCUMSTANCES and leaf not in varied
    }
    return json.loads(json.dumps(own, default=str))


def _digest_of(request: Request, trials: list[Trial]) -> str:
    asked = {"trials": sorted(trial.key for trial in trials), "metric": request.space.metric}
    if request.search:
        asked |= {"search": request.search, "search_budget": request.search_budget}
        asked |= {"distributions": distributions(request.space.search)}
    return digest(asked)


def distributions(search: dict[str, Any]) -> dict[str, str]:
    """Distributions of ``ray.tune`` by leaf, as words that say all there is to them."""
    return {leaf: f"{found.get_sampler()} {found.domain_str}" for leaf, found in search.items()}
