"""Starting a training: checks, MLflow, Ray Train, and the result; one call from jobs, Tune trials and tests."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray.train

from sem3d.config import Experiment
from sem3d.errors import UserError
from sem3d.files import exclusive_lock
from sem3d.methods import method_class, method_name
from sem3d.methods.method import Method
from sem3d.runs.progress import duration, lines_printed, records_said
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import data_digest, open_run_folder, read_result, run_folder, write_result
from sem3d.tracking.run import StoreAway, close_run, open_run, write_what_waits
from sem3d.training.ray.cluster import connect
from sem3d.training.ray.elastic import ElasticTrainer
from sem3d.training.ray.interruption import Stopped, in_a_thread, stop_on_signals
from sem3d.training.ray.preflight import check_batches, check_cpus, cluster_resources, use_gpu, worker_sizes
from sem3d.training.ray.worker import first_error, worker_loop

SECONDS_BETWEEN_TRIES = 5.0


@dataclass(frozen=True)
class TrainingResult:
    """What a run left behind."""

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
    callbacks: Sequence[Any] = (),
    tags: dict[str, str] | None = None,
    say: Callable[[str], None] | None = None,
    store_patience: float = 0.0,
) -> TrainingResult:
    """Trains a method, or goes on where the same run was interrupted, or returns at once if it is finished.

    ``callbacks`` go to Ray Train (a Tune trial passes its ``TuneReportCallback``) and ``tags`` to the MLflow run (a parent's
    ``mlflow.parentRunId``); ``say`` takes the progress lines instead of standard output; an MLflow store that is away is
    tried again for ``store_patience`` seconds. Raises :class:`UserError` for
    what the user can mend, here or on any worker, :class:`Stopped` if the run was asked to stop (SIGTERM or SIGINT here, or
    ``STOP.make``), and Ray's own error once ``run.max_failures`` crashes are used up.
    """
    launched = time.time()
    say = say or _print_line
    chosen = method_class(method) if isinstance(method, str) else method
    name = method_name(chosen)
    check_batches(experiment)
    finished = read_result(run_folder(name, experiment))
    if not finished:
        connect(cpus=int(experiment.run.workers * experiment.run.cpus_per_worker) + 1)
        resources = cluster_resources()
        gpu = use_gpu(experiment, resources)
        check_cpus(experiment, resources)
    with records_said(say):
        data = data_digest(chosen, experiment)
    folder = open_run_folder(name, experiment, data)
    if finished:
        say(f"already finished: {folder}")
        write_what_waits(experiment.run.tracking_uri, finished["mlflow_run_id"], folder)
        return _result(folder, finished)
    with exclusive_lock(folder.parent, folder.name, wait=False):
        described = {"method": name, **_tags(experiment), **(tags or {})}
        uri, run_id = _open_patiently(experiment, folder, described, store_patience, say)
        settings = {
            "method_class": chosen,
            "experiment": experiment,
            "run_folder": str(folder),
            "tracking_uri": uri,
            "mlflow_run": run_id,
            "launch": uuid.uuid4().hex[:8],
            "launched": launched,
            "gpu": gpu,
        }
        status = "FAILED"
        try:
            with stop_on_signals(folder, say), lines_printed(folder, say):
                outcome = in_a_thread(lambda: _run_workers(settings, callbacks))
            outcome["seconds"]["close"] = time.time() - launched - sum(outcome["seconds"].values())
            write_result(folder, outcome)
            status = "FINISHED"
        except (KeyboardInterrupt, Stopped):
            status = "KILLED"
            raise
        finally:
            close_run(uri, run_id, folder, status)
        return _result(folder, outcome)


def _open_patiently(
    experiment: Experiment, folder: Path, tags: dict[str, str], patience: float, say: Callable[[str], None]
) -> tuple[str, str]:
    """:func:`open_run`, tried again for ``patience`` seconds unless the run is asked to stop meanwhile."""
    until = time.monotonic() + patience
    while True:
        try:
            return open_run(experiment, folder, tags)
        except StoreAway as error:
            if time.monotonic() >= until or STOP.is_made(folder):
                raise
            say(f"{error}; it is tried again for {duration(until - time.monotonic())}")
            time.sleep(SECONDS_BETWEEN_TRIES)


def _run_workers(settings: dict[str, Any], callbacks: Sequence[Any]) -> dict[str, Any]:
    """Runs the loop on all workers and returns process 0's result; raises the :class:`UserError` a worker met."""
    run, gpu = settings["experiment"].run, settings["gpu"]
    sizes = worker_sizes(settings["experiment"])
    trainer = ElasticTrainer(
        worker_loop,
        train_loop_config=settings,
        scaling_config=ray.train.ScalingConfig(
            num_workers=(sizes[0], run.workers) if run.min_workers else run.workers,
            elastic_resize_monitor_interval_s=run.resize_every,
            use_gpu=gpu,
            resources_per_worker={"CPU": run.cpus_per_worker} | ({"GPU": 1} if gpu else {}),
        ),
        run_config=ray.train.RunConfig(
            name=settings["launch"],
            storage_path=str(Path(settings["run_folder"]) / ".ray"),
            failure_config=ray.train.FailureConfig(max_failures=run.max_failures),
            callbacks=list(callbacks),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
        sizes=sizes if run.min_workers else (),
        run_folder=Path(settings["run_folder"]),
    )
    errors = Path(settings["run_folder"]) / f".errors-{settings['launch']}"
    try:
        outcome = trainer.fit().return_value
    except ray.train.TrainingFailedError as failure:
        line = first_error(errors)
        if line:
            raise UserError(line) from failure
        raise
    if "user_error" in outcome:
        raise UserError(outcome["user_error"])
    if "stopped" in outcome:
        raise Stopped(outcome["stopped"], Path(outcome["checkpoint"]))
    return {**outcome, "mlflow_run_id": settings["mlflow_run"]}


def _tags(experiment: Experiment) -> dict[str, str]:
    run = experiment.run
    return {"init": experiment.init, "seed": str(run.seed), "workers": str(run.workers), "precision": run.precision}


def _print_line(line: str) -> None:
    print(line, flush=True)


def _result(folder: Path, outcome: dict[str, Any]) -> TrainingResult:
    return TrainingResult(
        run_folder=folder,
        checkpoint_best=Path(outcome["checkpoint_best"]),
        checkpoint_last=Path(outcome["checkpoint_last"]),
        metrics=outcome["metrics"],
        mlflow_run_id=outcome["mlflow_run_id"],
        steps=outcome["steps"],
        seconds=outcome["seconds"],
    )
