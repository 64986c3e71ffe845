"""The search of an arm's hyperparameters before the comparison: at one label budget, with a seed that no trial has."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sem3d.config import digest
from sem3d.errors import UserError
from sem3d.files import record_paths, stored_json, write_json
from sem3d.methods import method_class
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import run_folder
from sem3d.runs.sources import in_steps
from sem3d.sweeps.plan import Request, by_content, trial_of, with_leaves
from sem3d.sweeps.progress import Watch
from sem3d.sweeps.records import SEARCH_FOLDER, TrialRecord, forget_record, read_trials, write_record
from sem3d.sweeps.spent import spent_on
from sem3d.sweeps.trainings import Plan, Trial, keys_of, lineage
from sem3d.sweeps.trial import run_trial
from sem3d.sweeps.tuner import SearchTerms, search
from sem3d.tracking.parent_run import close_stopped

COMPARISONS = 4
"""How often a trial is evaluated, and may be stopped, on its way."""


@dataclass(frozen=True, kw_only=True)
class ArmSearch:
    """The search for one arm; also what runs one point of it."""

    request: Request
    arm: str
    sweep: str
    folder: Path
    """Of the sweep."""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def records(self) -> Path:
        """Return the folder of the records of this arm's points."""
        return self.folder / SEARCH_FOLDER / self.arm

    @property
    def distributions(self) -> dict[str, Any]:
        """Return what is searched: the space's distributions, without what the user has set."""
        return {leaf: found for leaf, found in self.request.space.search.items() if leaf not in self.request.settings}

    @property
    def budget(self) -> float:
        """Return the label budget of the search."""
        return self.request.budget_of_search

    def trial(self, point: dict[str, Any]) -> Trial:
        """Return the trial of a point."""
        trial = trial_of(self.request, self.arm, self.budget, max(self.request.seeds) + 1, point)
        every = self.every(trial)
        changes = {**self.request.space.search_settings, "run.evaluate_every": every, "run.checkpoint_every": every}
        changes["run.workers"] = max(trial.experiment.run.workers, 1)  # the scheduler hears of workers only
        return with_leaves(trial, {**changes, "run.name": f"{self.sweep}-search-{trial.key}"})

    def every(self, trial: Trial) -> int:
        """Return the steps between two comparisons."""
        return max(1, steps_of(trial) // COMPARISONS)

    def name_of(self, point: dict[str, Any]) -> str:
        """Return the key of the trial of a point."""
        return self.trial(point).key

    def __call__(self, key: str, point: dict[str, Any], callbacks: Sequence[Any]) -> None:
        """Run the trial of a point unless the sweep is to stop; raise where it failed, so that Optuna hears of it."""
        if STOP.is_made(self.folder):
            return
        write_json(self.records / "points" / f"{key}.json", point)
        (trial,) = by_content(Plan(name=self.sweep, trials=(self.trial(point),))).trials
        record = run_trial(trial, self.folder, self.records, self.tags | {"stage": "search"}, callbacks)
        if record and record.status == "failed":
            raise UserError(record.error)


def steps_of(trial: Trial) -> int:
    """Return the length of a trial."""
    return in_steps(method_class(trial.method), trial.experiment).schedule.steps


def found_settings(asked: ArmSearch) -> dict[str, Any] | None:
    """Return the best settings of a search that is complete, else ``None``.

    Raise :class:`UserError` if no trial of it was finished.
    """
    records = _records(asked)
    if len(records) < asked.request.search:
        return None
    metric, sign = asked.request.space.metric, 1 if asked.request.space.mode == "max" else -1
    scored = _scored(asked, records)
    if not scored:
        raise UserError(f"no search trial of arm {asked.arm} was finished: {records[0].error or 'all were stopped'}")
    best = max(scored, key=lambda record: sign * record.metrics[metric])
    return _points(asked)[best.key]


def forget_failed_search(asked: ArmSearch) -> None:
    """Forget the failed points of a search that is complete without a result, and the trials that failed for want of one.

    Their points are then tried again. Where a search has a result its failed points stay as they are: another best point
    would make other trials of the arm.
    """
    records = read_trials(asked.records)
    if len(records) < asked.request.search or _scored(asked, records):
        return
    for place in (asked.records, asked.folder):
        for record in read_trials(place):
            if record.arm == asked.arm and record.status == "failed":
                forget_record(place, TrialRecord, record.key)


def search_arm(asked: ArmSearch, concurrent: int, seconds: float, uri: str, say: Callable[[str], None]) -> None:
    """Run what is left of a search; points that were being tried when it was interrupted are tried again first."""
    space, records, points = asked.request.space, _records(asked), _points(asked)
    if not asked.distributions:
        raise UserError(f"nothing to search in space {space.name}: it has no SEARCH, or --set fixes all of it")
    left = asked.request.search - len(records)
    done = {record.key for record in records}
    plain = asked.trial({})

    def close(key: str, point: dict[str, Any], report: dict[str, Any], error: str) -> str | None:
        return closed(asked, key, point, report, error, uri)

    terms = SearchTerms(
        distributions=asked.distributions,
        trials=left,
        metric=space.metric,
        mode=space.mode,
        every=asked.every(plain),
        steps=steps_of(plain),
        seed=int(digest([asked.arm, len(records)])[:7], 16),
        known=[
            (points[record.key], record.metrics[space.metric])
            for record in records
            if space.metric in record.metrics and record.key in points
        ],
        unfinished=[point for key, point in points.items() if key not in done][:left],
    )
    watch = Watch(
        lambda _, point: f"search for {asked.arm}: {in_line(point)}",
        {str(number): seconds for number in range(left)},
        concurrent,
        close,
        say,
        done=len(records),
    )
    search(asked, asked.name_of, terms, asked.folder, concurrent, watch)


def closed(
    asked: ArmSearch, key: str, point: dict[str, Any], report: dict[str, Any], error: str, uri: str
) -> str | None:
    """Return how a point ended, recorded where its own process could not."""
    metric = asked.request.space.metric
    for record in read_trials(asked.records):
        if record.key == key:
            return record.error or f"{metric} {record.metrics.get(metric, float('nan')):.4f}"
    if STOP.is_made(asked.folder) or not (error or metric in report):
        return None
    trial = asked.trial(point)
    run = close_stopped(uri, trial.experiment.run.experiment, trial.experiment.run.name)
    metrics = {name: float(value) for name, value in report.items() if name == metric}
    record = TrialRecord(
        key=key,
        method=trial.method,
        arm=trial.arm,
        budget=trial.budget,
        seed=trial.seed,
        settings=trial.settings,
        status="failed" if error else "stopped",
        error=error,
        metrics=metrics,
        run_folder=str(run_folder(trial.method, trial.experiment)),
        mlflow_run_id=run,
        steps=int(report.get("step", 0)),
        seconds=spent_on(asked.folder, key),
        starts=keys_of(trial.starts),
        lineage=lineage(trial),
    )
    write_record(asked.records, record)
    return error or f"stopped at step {record.steps} with {metric} {metrics.get(metric, float('nan')):.4f}"


def in_line(point: dict[str, Any]) -> str:
    """Return a point of a search on one line."""
    return ", ".join(
        f"{leaf} {value:.4g}" if isinstance(value, float) else f"{leaf} {value}" for leaf, value in point.items()
    )


def _records(asked: ArmSearch) -> list[TrialRecord]:
    """Return the points that have ended, ordered by what was tried: their keys depend on the place of the data."""
    return sorted(read_trials(asked.records), key=lambda record: _in_order(record.settings))


def _scored(asked: ArmSearch, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [
        record for record in records if record.status == "finished" and asked.request.space.metric in record.metrics
    ]


def _points(asked: ArmSearch) -> dict[str, dict[str, Any]]:
    """Return the points that were begun by their keys, ordered by what was tried, as above."""
    begun = ((path.stem, stored_json(path)) for path in record_paths(asked.records / "points"))
    points = [(key, settings) for key, settings in begun if settings is not None]
    return dict(sorted(points, key=lambda item: _in_order(item[1])))


def _in_order(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
