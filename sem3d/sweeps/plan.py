"""The plan of a sweep: which trainings, each named by what is asked of it, and which pretrainings each starts from."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sem3d.config import Experiment, digest, flatten, override
from sem3d.errors import UserError, near
from sem3d.methods import COMPOSED, method_class
from sem3d.methods.method import FROZEN_EFFECT
from sem3d.reporting.formatting import plural
from sem3d.runs.run_folder import CIRCUMSTANCES, LONGEST_NAME, check_name, content_name, identity, run_name
from sem3d.runs.sources import data_digest
from sem3d.sweeps.arms import TRIAL, Arm, PretrainedPart
from sem3d.sweeps.space import Space
from sem3d.sweeps.trainings import Plan, Pretraining, Trial, keys_of

PLACES = (
    "run.storage",
    "run.workers",
    "run.min_workers",
    "run.device",
    "run.cpus_per_worker",
    "run.gpus_per_worker",
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
    """Request of the user."""

    space: Space
    arms: tuple[str, ...]
    budgets: tuple[float, ...]
    seeds: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves of every trial, and of every pretraining as far as these are shared."""
    pretraining_settings: dict[str, Any] = field(default_factory=dict)
    """Dotted leaves of every pretraining that has them."""
    name: str = ""
    """Name of the sweep; empty: space and digest of what is asked, so that the same request resumes."""
    search: int = 0
    """Trials an arm that search its hyperparameters before the comparison."""
    search_budget: float = 0.0
    """Label budget of the search; 0: the largest one that is a number."""
    storage: Path = Path("runs")
    command: str = ""
    """Command line that asks for it, for its reviewer."""
    frozen: bool = False
    """Score the weights that trials start from as they are, and train none of them."""

    @property
    def budget_of_search(self) -> float:
        """Return the label budget at which hyperparameters are searched."""
        numbers = [budget for budget in self.budgets if math.isfinite(budget)]
        return self.search_budget or max(numbers or self.budgets)


def plan(request: Request, best: dict[str, dict[str, Any]] | None = None) -> Plan:
    """Return all trials of a request, seed by seed so that every arm's curve is whole early; ``best`` has settings by arm.

    Raise :class:`UserError` for a leaf that an arm does not have, or one that the sweep itself varies.
    """
    _refuse_unknown_pretraining_settings(request)
    asked = [trial_of(request, *cell, {}) for cell in cells(request)]
    if not asked:
        raise UserError(
            "there is nothing to compare: choose at least one arm, budget and seed (--arms, --budgets, --seeds)"
        )
    name = request.name or f"{request.space.name}-{_digest_of(request, asked)}"
    check_name(name, "the sweep's name", LONGEST_NAME - max((len(trial.key) + 1 for trial in asked), default=0))
    if best:
        asked = [trial_of(request, arm, budget, seed, best.get(arm, {})) for arm, budget, seed in cells(request)]
    return Plan(name=name, trials=tuple(with_leaves(trial, {"run.name": f"{name}-{trial.key}"}) for trial in asked))


def _refuse_unknown_pretraining_settings(request: Request) -> None:
    parts = [part for name in request.arms for part in request.space.arm(name).pretrainings]
    known = {leaf for part in parts for leaf in flatten(part.experiment())}
    unknown = sorted(request.pretraining_settings.keys() - known)
    if parts and unknown:
        methods = ", ".join(dict.fromkeys(part.method for part in parts))
        raise UserError(
            f"unknown setting '{unknown[0]}': no pretraining has it, they are of {methods}{near(unknown[0], known)}"
        )


def by_content(whole: Plan) -> Plan:
    """Return ``whole`` with pretrainings named by settings and by the content of their data and of what they start from.

    So the same data elsewhere are not pretrained on again, and other data in the same place are.
    """
    named: dict[str, Pretraining] = {}
    for before in whole.pretrainings:
        data = data_digest(method_class(before.method), before.experiment)
        starts = {leaf: named[one.key] for leaf, one in before.starts.items()}
        name = content_name(before.method, override(before.experiment, keys_of(starts)), data)
        experiment = override(before.experiment, {"run.name": name})
        named[before.key] = replace(before, key=name, experiment=experiment, starts=starts)

    def renamed(trial: Trial) -> Trial:
        starts = {leaf: named[one.key] for leaf, one in trial.starts.items()}
        return replace(trial, starts=starts, settings=trial.settings | keys_of(starts))

    return replace(whole, trials=tuple(map(renamed, whole.trials)))


def cells(request: Request) -> list[tuple[str, float, int]]:
    """Return arm, budget and seed of every trial."""
    return [
        (arm, budget, seed)
        for seed in request.seeds
        for budget in request.budgets
        for arm in request.arms
        if math.isfinite(budget) or not request.space.arm(arm).needs_unlabelled
    ]


def with_leaves(trial: Trial, changes: dict[str, Any]) -> Trial:
    """Return ``trial`` with some leaves of its experiment changed."""
    return replace(trial, experiment=override(trial.experiment, changes))


def trial_of(request: Request, arm_name: str, budget: float, seed: int, found: dict[str, Any]) -> Trial:
    """Return the trial of one arm at one budget and seed, with the hyperparameters that were ``found`` for the arm."""
    arm = request.space.arm(arm_name)
    start = arm.trained.experiment()
    varied = _budget_leaf(request.space, flatten(start), budget) | dict.fromkeys(arm.trained.seed_leaves, seed)
    clash = sorted(varied.keys() & request.settings.keys())
    if clash:
        raise UserError(f"{clash[0]} is what the sweep varies: choose --budgets and --seeds instead of setting it")
    experiment = override(start, {**found, **request.settings, **varied, "run.storage": str(request.storage)})
    if flatten(experiment).get(FIXED_SUBSET):
        raise UserError(
            f"{FIXED_SUBSET} makes one labelled set of every budget and seed of a sweep: leave it out, or train on it with "
            f"python -m jobs.train {arm.trained.method}"
        )
    starts = _starts_of(request, arm, TRIAL, flatten(experiment), seed)
    asked = {
        "method": arm.trained.method,
        "arm": arm.name,
        "budget": budget,
        "seed": seed,
        "experiment": identity(experiment),
        **_asked_of(starts),
    }
    if request.frozen:
        asked["frozen"] = True
    return Trial(
        key=digest(asked),
        arm=arm.name,
        budget=budget,
        seed=seed,
        method=arm.trained.method,
        experiment=experiment,
        settings=_differences(arm, experiment, set(varied)) | keys_of(starts),
        starts=starts,
        frozen=request.frozen or arm.trained.method in COMPOSED,
    )


def _starts_of(request: Request, arm: Arm, taker: str, offered: dict[str, Any], seed: int) -> dict[str, Pretraining]:
    """Return by leaf what the training named ``taker`` starts from; ``offered`` are leaves of it and of what comes after it."""
    return {part.into: _pretraining_of(request, arm, part, offered, seed) for part in arm.feeding(taker)}


def _pretraining_of(
    request: Request, arm: Arm, part: PretrainedPart, offered: dict[str, Any], seed: int
) -> Pretraining:
    start = part.experiment()
    own = flatten(start).keys()
    shared = {
        leaf: value
        for leaf, value in offered.items()
        if leaf in own and (leaf in PLACES or leaf.startswith(request.space.shared))
    }
    asked = {leaf: value for leaf, value in request.pretraining_settings.items() if leaf in own}
    experiment = override(start, {**shared, **dict.fromkeys(part.seed_leaves, seed), **asked})
    starts = _starts_of(request, arm, part.name, offered | flatten(experiment), seed)
    return Pretraining(
        key=run_name(part.method, override(experiment, keys_of(starts))),
        arm=arm.name,
        seed=seed,
        name=part.name if len(arm.pretrainings) > 1 else "",
        method=part.method,
        experiment=experiment,
        starts=starts,
        unmeasured=(FROZEN_EFFECT,) if request.frozen else (),
    )


def _asked_of(starts: dict[str, Pretraining]) -> dict[str, Any]:
    """Return what the key of a trial is made from besides itself: what goes into its ``init``, and into other leaves."""
    asked = {
        leaf: {"method": one.method, "experiment": identity(override(one.experiment, keys_of(one.starts)))}
        for leaf, one in starts.items()
    }
    first = asked.pop("init", None)
    return {"pretraining": first} | ({"starts": asked} if asked else {})


def _budget_leaf(space: Space, leaves: dict[str, Any], budget: float) -> dict[str, Any]:
    if space.budget:
        return {space.budget: _as_budget(budget, leaves[space.budget], space)}
    if budget != 1:
        raise UserError(f"{space.name} has no label budget: leave --budgets out")
    return {}


def _as_budget(budget: float, like: Any, space: Space) -> float | int:
    if isinstance(like, int) and budget == math.inf:
        return ALL_ITEMS
    if isinstance(like, int) and not (budget >= 1 and budget == budget // 1):
        counted = f"{space.budget} counts {plural(space.budget_unit, 2)}"
        raise UserError(f"{counted}: {budget:g} must be a whole number from 1 on, or inf for all")
    if isinstance(like, float) and not 0 < budget <= 1:
        raise UserError(
            f"{space.budget} is a share of the labels: {budget:g} must be above 0 and at most 1 (20 % is 0.2)"
        )
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
    """Return distributions of ``ray.tune`` by leaf, as words that say all there is to them."""
    return {leaf: f"{found.get_sampler()} {found.domain_str}" for leaf, found in search.items()}
