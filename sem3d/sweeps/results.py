"""A sweep's records as what its page shows: which trials count, their scores, tables, confusion matrices and pictures."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.reporting.formatting import Budgets, counted, metric_of, plural
from sem3d.reporting.page import SweepReview, TrialLine
from sem3d.runs.run_folder import CIRCUMSTANCES
from sem3d.sweeps.findings import as_floats, last_pictures, read_evaluations, trainings
from sem3d.sweeps.limits import effects_of, limits_of, notes_on_marks
from sem3d.sweeps.records import (
    PretrainingRecord,
    SweepRecord,
    TrialRecord,
    read_effects,
    read_marks,
    read_pretrainings,
    read_searches,
    read_sweep,
    read_trials,
)
from sem3d.sweeps.space import ITEM

Setting = str


def read_review(folder: Path, *, run_link: str = "", champion: Mapping[str, str] | None = None) -> SweepReview:
    """Return all there is to show of the sweep in ``folder``.

    ``run_link`` is what stands before a run's id in its address on an MLflow server. Raise :class:`UserError` where there is
    no sweep.
    """
    sweep, trials = read_sweep(folder), read_trials(folder)
    counting, notes = counting_trials(sweep, trials)
    budgets = _budgets({*sweep.budgets, *(trial.budget for trial in trials)}, sweep.budget_unit)
    notes = [*_search_notes(sweep, read_searches(folder), budgets), *notes]
    keys = {trial.key for trial in counting}
    storage = folder.resolve().parents[1]
    tables, confusions, without = read_evaluations(counting, storage)
    if without and (tables or confusions):
        notes.append(f"{counted(without, 'trial')} left no evaluation on disk and are not in the tables by class.")
    pretrainings, marks, effects = read_pretrainings(folder), read_marks(folder), read_effects(folder)
    failed = [item for item in pretrainings if item.status == "failed"]
    notes += [f"A pretraining failed ({item.arm}, seed {item.seed}): {item.error}" for item in failed]
    notes += notes_on_marks(marks, effects)
    notes += _chain_notes(sweep, trials)
    values = [_score(trial, sweep) for trial in counting]
    spent = sweep.spent or {"trials": len(trials), "seconds": sum(trial.seconds for trial in trials)}
    arms = _arms(sweep, trials)
    trials.sort(key=lambda trial: (trial.budget, arms.index(trial.arm), trial.seed))
    return SweepReview(
        name=sweep.name,
        space=sweep.space,
        metric=metric_of(sweep.metric, sweep.mode, values),
        arms=arms,
        budgets=budgets,
        seeds=tuple(sweep.seeds),
        scores=scores_of(counting, sweep.metric),
        trials=tuple(_line(trial, sweep, run_link, trial.key in keys) for trial in trials),
        class_tables=tuple(tables),
        confusions=tuple(confusions),
        pictures=tuple(last_pictures(counting, storage)),
        trainings=tuple(trainings(counting, storage)),
        shared_settings=sweep.settings,
        estimate=as_floats(sweep.estimate),
        spent=as_floats(spent),
        pretraining_seconds=_seconds_by_line(pretrainings),
        champion=champion or {},
        made={label: text for label, text in sweep.made.items() if text},
        notes=tuple(notes),
        limits=limits_of(marks, sweep.metric),
        effects=effects_of(folder, effects, pretrainings, trials),
    )


def _seconds_by_line(pretrainings: Sequence[PretrainingRecord]) -> dict[str, float]:
    """Return the time of each pretraining, by its arm, its name in a chain and its seed."""
    seconds: dict[str, float] = {}
    for item in pretrainings:
        part = f" ({item.name})" if item.name else ""
        line = f"pretraining for {item.arm}{part}, seed {item.seed}"
        seconds[line] = seconds.get(line, 0.0) + item.seconds
    return seconds


def counting_trials(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> tuple[list[TrialRecord], list[str]]:
    """Return the trials that are points of the curve, one a seed for each arm and budget, and notes on the choice.

    They are finished and have a score. Where an arm has run with several settings at a budget, those count that ran with the
    most seeds, and of these the ones with the best mean.
    """
    scored = [trial for trial in trials if trial.status == "finished" and math.isfinite(_score(trial, sweep))]
    groups: dict[tuple[str, float], dict[Setting, dict[int, TrialRecord]]] = {}
    for trial in scored:
        by_seed = groups.setdefault((trial.arm, trial.budget), {}).setdefault(setting_of(trial), {})
        by_seed.setdefault(trial.seed, trial)
    sign = 1 if sweep.mode == "max" else -1

    def rank(by_seed: dict[int, TrialRecord]) -> tuple[int, float]:
        return len(by_seed), sign * float(np.mean([_score(trial, sweep) for trial in by_seed.values()]))

    chosen = [trial for settings in groups.values() for trial in max(settings.values(), key=rank).values()]
    return chosen, _notes(trials, scored, max((len(settings) for settings in groups.values()), default=1))


def _notes(trials: Sequence[TrialRecord], scored: Sequence[TrialRecord], most_settings: int) -> list[str]:
    """Return notes on the trials that the choice leaves out."""
    notes = []
    if most_settings > 1:
        notes.append(
            f"Up to {most_settings} settings were tried for an arm at one budget. The curve shows the one with the most seeds "
            "and then the best mean; it was chosen by the score that is shown, which flatters every arm."
        )
    counts = {
        "failed": sum(trial.status == "failed" for trial in trials),
        "stopped": sum(trial.status == "stopped" for trial in trials),
        "finished without the score": sum(trial.status == "finished" for trial in trials) - len(scored),
    }
    missing = [f"{count} {kind}" for kind, count in counts.items() if count]
    if missing:
        notes.append(
            f"Not in the curve: {', '.join(missing)}. Where a seed is missing, means of arms are over other seeds."
        )
    return notes


def _search_notes(sweep: SweepRecord, searches: Mapping[str, Sequence[TrialRecord]], budgets: Budgets) -> list[str]:
    """Return notes on the search of hyperparameters and its data; nothing where there was none.

    A search that was given another split than the trials chose on other data than these are scored on.
    """
    counts = [len(points) for points in searches.values() if points]
    if not counts:
        return []
    tried = str(max(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    places = " and ".join(
        budgets.text(budget) for budget in sorted({point.budget for one in searches.values() for point in one})
    )
    split = [
        f"{leaf} {value}"
        for leaf, value in sweep.search_settings.items()
        if leaf.endswith("split") and value != sweep.settings.get(leaf)
    ]
    said = f"Settings of each arm were searched first: {tried} {plural('point', max(counts))} an arm at {places}"
    if split:
        return [f"{said}, and chosen on a split of its own ({', '.join(split)})."]
    return [f"{said}, and chosen on the held-out data that is reported here, so the scores are optimistic."]


def _chain_notes(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return by arm which pretrainings the trials of its first seed start from, down the whole chain."""
    first = {trial.arm: trial for trial in sorted(trials, key=lambda trial: -trial.seed) if trial.lineage}
    return [
        f"Arm {arm} starts with {first[arm].lineage} (seed {first[arm].seed})."
        for arm in _arms(sweep, trials)
        if arm in first
    ]


def setting_of(trial: TrialRecord) -> Setting:
    """Return all that a trial shares with those of other seeds: settings without seed, budget, start and circumstances."""
    return json.dumps(own_settings(trial), sort_keys=True, default=str)


def own_settings(trial: TrialRecord) -> dict[str, Any]:
    """Return settings of a trial that its arm, budget and seed do not tell."""
    return {
        leaf: value
        for leaf, value in trial.settings.items()
        if leaf not in (*CIRCUMSTANCES, "init", *trial.starts) and not leaf.endswith("seed") and "budget" not in leaf
    }


def scores_of(trials: Sequence[TrialRecord], metric: str) -> dict[str, dict[float, dict[int, float]]]:
    """Return the metric by arm, budget and seed."""
    scores: dict[str, dict[float, dict[int, float]]] = {}
    for trial in trials:
        scores.setdefault(trial.arm, {}).setdefault(float(trial.budget), {})[trial.seed] = float(trial.metrics[metric])
    return scores


def _score(trial: TrialRecord, sweep: SweepRecord) -> float:
    return float(trial.metrics.get(sweep.metric, math.nan))


def _arms(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*sweep.arms, *sorted({trial.arm for trial in trials})]))


def _budgets(values: Collection[float], unit: str | None) -> Budgets:
    """Return the budgets of a sweep; in a record without their unit numbers up to 1 are shares, others labelled items."""
    if unit is None:
        unit = "" if all(0 <= value <= 1 for value in values) else ITEM
    return Budgets(tuple(sorted(map(float, values))), unit)


def _line(trial: TrialRecord, sweep: SweepRecord, run_link: str, counts: bool) -> TrialLine:
    return TrialLine(
        arm=trial.arm,
        budget=float(trial.budget),
        seed=trial.seed,
        status=trial.status,
        value=_score(trial, sweep),
        settings=own_settings(trial),
        steps=trial.steps,
        seconds=float(trial.seconds),
        error=trial.error,
        run_id=trial.mlflow_run_id,
        link=f"{run_link}{trial.mlflow_run_id}" if run_link and trial.mlflow_run_id else "",
        counted=counts,
    )
