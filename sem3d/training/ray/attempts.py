"""Attempts at a run: a group of workers of Ray Train, and another one where their controller has died."""

import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import ray.exceptions
import ray.train
from ray.train.torch import TorchConfig

from sem3d.errors import UserError
from sem3d.ray_internals.train import orphaned_workers, remove_what_it_held
from sem3d.runs.requests import STOP
from sem3d.training.ray.elastic import ElasticTrainer
from sem3d.training.ray.interruption import Stopped
from sem3d.training.ray.preflight import worker_sizes
from sem3d.training.ray.worker import first_error, stored, worker_loop

SECONDS_TO_DIE = 60.0
GIVEN_UP = "run.max_failures are used up; the same command resumes from the newest checkpoint"


def run_workers(settings: dict[str, Any], callbacks: Sequence[Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Run the loop on all workers and return process 0's result; raises the :class:`UserError` a worker met.

    The death of Ray Train's controller, which Ray does not retry, costs one of ``run.max_failures`` like that of a worker.
    """
    run, folder = settings["experiment"].run, Path(settings["run_folder"])
    errors = folder / f".errors-{settings['launch']}"
    for attempt in count(1):
        try:
            if STOP.is_made(folder):
                raise Stopped
            outcome = _trainer(settings, callbacks, attempt).fit().return_value
            break
        except ray.train.TrainingFailedError as failure:
            line = first_error(errors) or _unwritten_error(failure) or _deaths(failure)
            if line:
                raise UserError(line) from failure
            raise
        except ray.exceptions.ActorDiedError as death:
            if STOP.is_made(folder):  # the driver ends, and Ray with it
                raise Stopped from death
            _end_its_workers(death)
            if 0 <= run.max_failures < attempt:
                raise UserError(f"Ray Train's controller died {attempt} times: {GIVEN_UP}") from death
            say(f"Ray Train's controller died: workers start again, {attempt} of {run.max_failures} times")
    assert outcome is not None
    if "user_error" in outcome:
        raise UserError(outcome["user_error"])
    if "stopped" in outcome:
        raise Stopped(outcome["stopped"], Path(outcome["checkpoint"]))
    return {**outcome, "mlflow_run_id": settings["mlflow_run"]}


def _trainer(settings: dict[str, Any], callbacks: Sequence[Any], attempt: int) -> ElasticTrainer:
    run, gpu = settings["experiment"].run, settings["gpu"]
    sizes = worker_sizes(settings["experiment"])
    return ElasticTrainer(
        worker_loop,
        train_loop_config=stored(settings),
        scaling_config=ray.train.ScalingConfig(
            num_workers=(sizes[0], run.workers) if run.min_workers else run.workers,
            elastic_resize_monitor_interval_s=run.resize_every,
            use_gpu=gpu,
            resources_per_worker={"CPU": run.cpus_per_worker} | ({"GPU": run.gpus_per_worker} if gpu else {}),
        ),
        # NCCL refuses two processes on one GPU
        torch_config=TorchConfig(backend="gloo") if gpu and run.gpus_per_worker < 1 else None,
        run_config=ray.train.RunConfig(
            name=settings["launch"] if attempt == 1 else f"{settings['launch']}-{attempt}",
            storage_path=str(Path(settings["run_folder"]) / ".ray"),
            failure_config=ray.train.FailureConfig(max_failures=run.max_failures),
            callbacks=list(callbacks),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
        sizes=sizes if run.min_workers else (),
        run_folder=Path(settings["run_folder"]),
    )


def _unwritten_error(failure: Exception) -> str:
    """Return the line of a worker that could not write its error down, as on a full disk; nothing where there is none."""
    met = getattr(failure, "worker_failures", {}).values()
    return next((str(error) for error in met if isinstance(error, UserError | OSError)), "")


def _deaths(failure: ray.train.TrainingFailedError) -> str:
    """Return a line on workers that died without a word of Python, such as for want of memory; empty for any other failure."""
    failures = getattr(failure, "worker_failures", {})
    if not any(isinstance(error, ray.exceptions.RayActorError) for error in failures.values()):
        return ""
    return f"workers {', '.join(map(str, sorted(failures)))} died, of memory or with their node: {GIVEN_UP}"


def _end_its_workers(death: ray.exceptions.ActorDiedError) -> None:
    """Wait until no worker of a dead controller is left, which would write to the folder of the run beside the new ones."""
    remove_what_it_held(death.actor_id)
    deadline = time.monotonic() + SECONDS_TO_DIE
    while orphaned_workers():
        if time.monotonic() > deadline:
            raise UserError("workers of Ray Train outlive their controller: end them, or the cluster, and start again")
        time.sleep(0.2)
