"""Starting a training: checks, MLflow, Ray Train, and the result; one call from jobs, Tune trials and tests."""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sem3d.config import Experiment, override
from sem3d.errors import UserError
from sem3d.files import exclusive_lock, writes_in
from sem3d.methods import method_class, method_name
from sem3d.methods.method import Method, Sources
from sem3d.runs.progress import duration, lines_printed, records_said
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import checkpoint_of, content_name, open_run_folder, read_result, run_folder, write_result
from sem3d.runs.sources import content_digest, in_steps, open_sources
from sem3d.tracking.run import close_run, open_run, write_what_waits
from sem3d.tracking.trouble import StoreAway
from sem3d.training.ray.attempts import run_workers
from sem3d.training.ray.cluster import connect
from sem3d.training.ray.interruption import Stopped, in_a_thread, stop_on_signals, stop_passed_on
from sem3d.training.ray.preflight import check_batches, check_cpus, cluster_resources, use_gpu
from sem3d.training.ray.shared_sources import put_in_store

SECONDS_BETWEEN_TRIES = 5.0


@dataclass(frozen=True)
class TrainingResult:
    """Result of a run."""

    run_folder: Path
    checkpoint_best: Path
    """Best by the method's score; the last one where nothing was evaluated."""
    checkpoint_last: Path
    metrics: dict[str, float]
    """Last evaluation, with ``loss`` of the last step, ``skipped_steps`` and ``quarantined``."""
    mlflow_run_id: str
    steps: int
    seconds: dict[str, float] = field(default_factory=dict)
    """Where the time of the last attempt went; see :class:`sem3d.training.stages.Stages`."""


def train(
    method: str | type[Method],
    experiment: Experiment,
    *,
    sources: Sources | None = None,
    callbacks: Sequence[Any] = (),
    tags: dict[str, str] | None = None,
    say: Callable[[str], None] | None = None,
    store_patience: float = 0.0,
) -> TrainingResult:
    """Train a method, or resume the same run where it was interrupted, or return at once if it is finished.

    A curriculum is trained run by run, each from the last checkpoint of the one before; all but the last are named by their
    content, so that other experiments with the same beginning find them.

    ``sources`` are opened here, once for all workers, unless the caller has. ``callbacks`` go to Ray Train (a Tune trial passes
    its ``TuneReportCallback``) and ``tags`` to the MLflow run (a parent's ``mlflow.parentRunId``); ``say`` takes the progress
    lines instead of standard output; an MLflow store that is unavailable is tried again for ``store_patience`` seconds. Raises
    :class:`UserError` for what the user can fix, here or on any worker, :class:`Stopped` if the run was asked to stop (SIGTERM
    or SIGINT here, or ``STOP.make``), and Ray's own error once ``run.max_failures`` crashes are used up.
    """
    say = say or _print_line
    chosen = method_class(method) if isinstance(method, str) else method
    stages = chosen.curriculum(experiment)
    if len(stages) == 1:
        return _train_stage(chosen, experiment, sources, Listeners(callbacks, tags or {}, say, store_patience))
    name = method_name(chosen)
    last = run_folder(name, experiment)
    with exclusive_lock(last.parent, f"{last.name}.curriculum", wait=False):
        with writes_in(last):
            last.mkdir(parents=True, exist_ok=True)
            STOP.clear(last)
        return _train_stages(chosen, experiment, stages, Listeners(callbacks, tags or {}, say, store_patience))


def _train_stages(
    chosen: type[Method], experiment: Experiment, stages: Sequence[Experiment], listeners: "Listeners"
) -> TrainingResult:
    """Train the runs of a curriculum one after the other; see :func:`train`."""
    name, say = method_name(chosen), listeners.say
    last = run_folder(name, experiment)
    result: TrainingResult | None = None
    known = ""
    for number, stage in enumerate(stages, start=1):
        with records_said(say):
            opened = open_sources(chosen, stage)
        known = content_name(name, override(stage, {"init": known or stage.init}), content_digest(chosen, opened))
        run = known if number < len(stages) else last.name
        start = {"init": str(result.checkpoint_last), "init_without": ()} if result else {}
        said = {"curriculum": last.name, "curriculum_stage": f"{number} of {len(stages)}"}
        say(f"stage {number} of {len(stages)}: {run}")
        callbacks = listeners.callbacks if number == len(stages) else ()
        of_stage = replace(listeners, callbacks=callbacks, tags=said | listeners.tags)
        named = override(stage, start | {"run.name": run})
        with nullcontext() if number == len(stages) else stop_passed_on(last, run_folder(name, named)):
            result = _train_stage(chosen, named, opened, of_stage)
    assert result is not None
    return result


@dataclass(frozen=True)
class Listeners:
    """Whom a training tells how it goes, and how long it waits for them."""

    callbacks: Sequence[Any]
    tags: dict[str, str]
    say: Callable[[str], None]
    store_patience: float


def _train_stage(
    chosen: type[Method], experiment: Experiment, sources: Sources | None, listeners: Listeners
) -> TrainingResult:
    """Train one run; see :func:`train`."""
    launched, say, name = time.time(), listeners.say, method_name(chosen)
    check_batches(experiment)
    folder = run_folder(name, experiment)
    finished = read_result(folder)
    if not finished:
        connect(cpus=int(experiment.run.workers * experiment.run.cpus_per_worker) + 1)
        resources = cluster_resources()
        gpu = use_gpu(experiment, resources)
        check_cpus(experiment, resources)
    if sources is None:
        with records_said(say):
            sources = open_sources(chosen, experiment)
    with exclusive_lock(folder.parent, folder.name, wait=bool(finished)), writes_in(folder):
        open_run_folder(name, experiment, content_digest(chosen, sources))
        finished = finished or read_result(folder)
        if finished:
            say(f"already finished: {folder}")
            write_what_waits(experiment.run.tracking_uri, finished["mlflow_run_id"], folder)
            return _result(folder, finished)
        with stop_on_signals(folder, say) as patience:
            described = {"method": name, **_tags(experiment), **listeners.tags}
            in_full = in_steps(chosen, experiment, sources)
            uri, run_id = _open_patiently(in_full, folder, described, listeners.store_patience, say)
            status = "FAILED"
            try:
                settings = {
                    "method_class": chosen,
                    "sources": put_in_store(sources),
                    "experiment": experiment,
                    "run_folder": str(folder),
                    "tracking_uri": uri,
                    "mlflow_run": run_id,
                    "launch": uuid.uuid4().hex[:8],
                    "launched": launched,
                    "gpu": gpu,
                }
                with lines_printed(folder, say):
                    outcome = in_a_thread(lambda: run_workers(settings, listeners.callbacks, say), patience)
                outcome["seconds"]["close"] = time.time() - launched - sum(outcome["seconds"].values())
                write_result(folder, outcome)
                status = "FINISHED"
            except (KeyboardInterrupt, Stopped):
                status = "KILLED"
                raise
            finally:
                try:
                    close_run(uri, run_id, folder, status)
                except (OSError, UserError) as error:  # on a full disk, which is said already
                    say(f"MLflow run {run_id} could not be closed: {error}")
            return _result(folder, outcome)


def _open_patiently(
    experiment: Experiment, folder: Path, tags: dict[str, str], patience: float, say: Callable[[str], None]
) -> tuple[str, str]:
    """Return :func:`open_run`, tried again for ``patience`` seconds unless the run is asked to stop meanwhile."""
    until = time.monotonic() + patience
    while True:
        try:
            return open_run(experiment, folder, tags)
        except StoreAway as error:
            if time.monotonic() >= until or STOP.is_made(folder):
                raise
            say(f"{error}; it is tried again for {duration(until - time.monotonic())}")
            time.sleep(SECONDS_BETWEEN_TRIES)


def _tags(experiment: Experiment) -> dict[str, str]:
    run = experiment.run
    return {"init": experiment.init, "seed": str(run.seed), "workers": str(run.workers), "precision": run.precision}


def _print_line(line: str) -> None:
    print(line, flush=True)


def _result(folder: Path, outcome: dict[str, Any]) -> TrainingResult:
    return TrainingResult(
        run_folder=folder,
        checkpoint_best=checkpoint_of(folder, outcome, "checkpoint_best"),
        checkpoint_last=checkpoint_of(folder, outcome, "checkpoint_last"),
        metrics=outcome["metrics"],
        mlflow_run_id=outcome["mlflow_run_id"],
        steps=outcome["steps"],
        seconds=outcome["seconds"],
    )
