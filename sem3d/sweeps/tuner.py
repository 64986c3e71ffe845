"""Ray Tune, by its only doorway: many trainings side by side, and the search of hyperparameters.

What is done is up to the caller: here it is ``work``, called with a key in a process that is kept for the next key. Where the
training it starts has workers of its own, it takes no CPU and stays on the head node, so that they always find room; where
it trains itself, it holds what training needs. What a trial leaves is on disk when ``work`` returns; Tune's own records
are thrown away, and a sweep that resumes starts a new Tuner over what is left.
"""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import optuna
from ray import tune
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from ray.tune.search.searcher import Searcher

from sem3d.runs.requests import STOP

ON_THE_HEAD = {"CPU": 0.0, "node:__internal_head__": 0.001}
TIME = "step"
RETRIES = 2
"""How often ``work`` is called again where its process died; a training then resumes from its checkpoint."""
SILENT_END = "its process ended without a word: out of memory, or a node that is gone; Ray's logs may tell"
"""What is known of a trial whose ``work`` did not return: Tune tells its callbacks of an error before it knows which."""


@runtime_checkable
class Watcher(Protocol):
    """A listener, in the driver, to the fate of trials."""

    def started(self, key: str, config: dict[str, Any], /) -> None:
        """Hear that a process has taken the trial up."""

    def ended(self, key: str, config: dict[str, Any], report: dict[str, Any], error: str, /) -> None:
        """Hear that the trial has ended: by itself, by the scheduler (look at what it left), or with an error."""


def run_all(
    work: Callable[[str], None],
    keys: Sequence[str],
    folder: Path,
    concurrent: int,
    watcher: Watcher,
    holds: Mapping[str, float] = ON_THE_HEAD,
) -> None:
    """Call ``work`` with every key, ``concurrent`` at a time; an error ends its own trial only.

    ``holds`` is what the process that calls it takes of the cluster.
    """
    if keys:
        again, points = {"reuse_actors": True}, {"key": tune.grid_search(list(keys))}
        _fit(partial(_with_key, work), points, again, folder, concurrent, watcher, holds, retries=RETRIES)


@dataclass(frozen=True, kw_only=True)
class SearchTerms:
    """A search: of what, by what measure, and what is left of it."""

    distributions: Mapping[str, Any]
    """By leaf."""
    trials: int
    """Points still to be tried."""
    metric: str
    mode: str
    every: int
    """Steps between two reports of ``metric`` and ``step``."""
    steps: int
    """Of a whole training."""
    seed: int
    known: Sequence[tuple[dict[str, Any], float]] = ()
    """Points with their value, from before an interruption."""
    unfinished: Sequence[dict[str, Any]] = ()
    """Points to be tried first."""


def search(
    work: Callable[[str, dict[str, Any], Sequence[Any]], None],
    name_of: Callable[[dict[str, Any]], str],
    terms: SearchTerms,
    folder: Path,
    concurrent: int,
    watcher: Watcher,
) -> None:
    """Try the points that are left with Optuna; ASHA stops the worse half each time they are compared.

    ``work`` is called with ``name_of`` a point, the point, and the callbacks that its training must be given. The scheduler
    compares trials of one attempt only. Once the run of ``folder`` is asked to stop, no further point is begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    algorithm = _UntilStopped(
        folder,
        OptunaSearch.convert_search_space(dict(terms.distributions)),
        metric=terms.metric,
        mode=terms.mode,
        points_to_evaluate=list(terms.unfinished) or None,
        seed=terms.seed,
    )
    for point, value in terms.known:
        algorithm.add_evaluated_point(point, value)
    beyond = terms.steps + 1  # the last report ends no trial: it still has its result to write
    grace = min(terms.every, terms.steps)
    scheduler = ASHAScheduler(TIME, terms.metric, terms.mode, max_t=beyond, grace_period=grace, reduction_factor=2)
    options = {"search_alg": algorithm, "scheduler": scheduler, "num_samples": terms.trials}
    if terms.trials > 0:
        _fit(partial(_with_point, work, name_of), None, options, folder, concurrent, _Named(watcher, name_of))


class _UntilStopped(OptunaSearch):
    """Optuna, which has no further point once the run of ``folder`` is asked to stop.

    Not a Stopper: that would end the trainings under way before they have written their checkpoint.
    """

    def __init__(self, folder: Path, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.folder = folder

    def suggest(self, trial_id: str) -> Any:
        return Searcher.FINISHED if STOP.is_made(self.folder) else super().suggest(trial_id)


def _with_key(work: Callable[[str], None], config: dict[str, Any]) -> None:
    work(config["key"])


def _with_point(work: Callable[..., None], name_of: Callable[[dict[str, Any]], str], config: dict[str, Any]) -> None:
    work(name_of(config), config, [TuneReportCallback()])


class _Named:
    """A watcher's view of points by their names, in the place of keys."""

    def __init__(self, watcher: Watcher, name_of: Callable[[dict[str, Any]], str]):
        self.watcher, self.name_of = watcher, name_of

    def started(self, _key: str, config: dict[str, Any]) -> None:
        self.watcher.started(self.name_of(config), config)

    def ended(self, _key: str, config: dict[str, Any], report: dict[str, Any], error: str) -> None:
        self.watcher.ended(self.name_of(config), config, report, error)


class _Told(TrialProgressCallback):
    """A callback that passes Tune's events on to a watcher."""

    def __init__(self, watcher: Watcher):
        super().__init__()
        self.watcher = watcher

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune writes its callbacks down, and a watcher belongs to the driver."""
        return {}

    def on_trial_start(self, *, trial: Any, **_: Any) -> None:
        self.watcher.started(trial.config.get("key", ""), trial.config)

    def on_trial_result(self, **_: Any) -> None:
        """Pass over reports, which are for the scheduler."""

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:
        self.watcher.ended(trial.config.get("key", ""), trial.config, trial.last_result or {}, "")

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:
        self.watcher.ended(trial.config.get("key", ""), trial.config, trial.last_result or {}, SILENT_END)


def _fit(
    trainable: Callable[[dict[str, Any]], None],
    points: dict[str, Any] | None,
    options: dict[str, Any],
    folder: Path,
    concurrent: int,
    watcher: Watcher,
    holds: Mapping[str, float] = ON_THE_HEAD,
    retries: int = 0,
) -> None:
    """Run a Tuner in a folder of its own, quietly, and remove it."""
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    os.environ |= {"RAY_CHDIR_TO_TRIAL_DIR": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    storage, name = folder / ".tune", uuid.uuid4().hex[:8]
    tuner = tune.Tuner(
        tune.with_resources(trainable, tune.PlacementGroupFactory([dict(holds)])),
        param_space=points,
        tune_config=tune.TuneConfig(max_concurrent_trials=concurrent, **options),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(storage),
            callbacks=[_Told(watcher)],
            failure_config=tune.FailureConfig(max_failures=retries),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(storage / name, ignore_errors=True)
