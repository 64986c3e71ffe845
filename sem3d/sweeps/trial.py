"""One training of a sweep, in its own process: runs, records how it ended, and keeps its progress lines in a file."""

import ctypes
import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sem3d.config import Experiment
from sem3d.files import exclusive_lock
from sem3d.methods import method_class
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.registers import resolve
from sem3d.reporting.formatting import budget_text
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import run_folder
from sem3d.runs.sources import data_digest
from sem3d.sweeps.marks import measure_effects
from sem3d.sweeps.records import PretrainingRecord, TrialRecord, write_record
from sem3d.sweeps.spent import clocked, spent_on
from sem3d.sweeps.trainings import Pretraining, Training, Trial, keys_of, lineage, with_starts
from sem3d.sweeps.tuner import ON_THE_HEAD
from sem3d.tracking.store import NAME_TAG
from sem3d.tracking.trouble import first_line
from sem3d.training.ray.interruption import Stopped, stop_passed_on
from sem3d.training.ray.launch import TrainingResult, train
from sem3d.training.ray.preflight import Resources, cluster_resources, use_gpu

Result = TypeVar("Result")
STORE_PATIENCE = 600.0
"""Seconds that a training of a sweep waits at its start for an MLflow server that is unavailable."""


def resources_of(experiment: Experiment) -> Resources:
    """Return what a training holds on the connected cluster: its workers' CPUs and one for reading data, its workers' GPUs."""
    run, workers = experiment.run, max(experiment.run.workers, 1)
    return Resources(
        cpus=workers * run.cpus_per_worker + 1,
        gpus=workers * run.gpus_per_worker if use_gpu(experiment, cluster_resources()) else 0.0,
    )


def process_holds(experiments: Sequence[Experiment]) -> dict[str, float]:
    """Return what a process that runs one of the trainings after the other takes for itself, beside their workers."""
    here = [experiment for experiment in experiments if not experiment.run.workers]
    if not here:
        return dict(ON_THE_HEAD)
    gpus = max(resources_of(experiment).gpus for experiment in here)
    return {"CPU": max(experiment.run.cpus_per_worker for experiment in here)} | ({"GPU": gpus} if gpus else {})


@dataclass(frozen=True)
class PretrainingWork:
    """Pretrains, and measures what came of it; two sweeps that need the same pretraining wait for each other."""

    folder: Path
    """Of the sweep."""
    pretrainings: dict[str, Pretraining]
    tags: dict[str, str]

    def __call__(self, key: str) -> None:
        """Run the pretraining named ``key`` and record how it ended."""
        wanted = self.pretrainings[key]

        def run(say: Callable[[str], None]) -> TrainingResult:
            with exclusive_lock(wanted.experiment.run.storage, f"pretraining-{key}"):
                told = self.tags | {"stage": "pretraining", NAME_TAG: wanted.label} | tags_of_starts(wanted)
                start = with_starts(wanted, self.folder)
                result = train(wanted.method, start, tags=told, say=say, store_patience=STORE_PATIENCE)
            measure_effects(wanted, result.checkpoint_last, self.folder, say)
            return result

        result, error = attempt(self.folder, key, wanted.method, wanted.experiment, run)
        record = record_of_pretraining(wanted)
        if result:
            record = replace(
                record,
                metrics=result.metrics,
                run_folder=str(result.run_folder),
                checkpoint=str(result.checkpoint_last),
                mlflow_run_id=result.mlflow_run_id,
            )
        if result or error:
            seconds = spent_on(self.folder, key)
            status = "finished" if result else "failed"
            write_record(self.folder, replace(record, seconds=seconds, status=status, error=error))


@dataclass(frozen=True)
class TrialWork:
    """A worker function that trains one trial as a child of the sweep's MLflow run."""

    folder: Path
    """Of the sweep."""
    trials: dict[str, Trial]
    tags: dict[str, str]

    def __call__(self, key: str) -> None:
        """Run the trial named ``key`` and record how it ended."""
        run_trial(self.trials[key], self.folder, self.folder, self.tags | {"stage": "trial"})


def run_trial(
    trial: Trial, folder: Path, records: Path, tags: dict[str, str], callbacks: Sequence[Any] = ()
) -> TrialRecord | None:
    """Run a trial of the sweep in ``folder`` and record in ``records`` how it ended; ``None`` where it was asked to stop."""
    if trial.frozen:
        return score_frozen(trial, folder)

    def run(say: Callable[[str], None]) -> TrainingResult:
        told = tags_of(trial) | tags
        start = with_starts(trial, folder)
        return train(trial.method, start, callbacks=callbacks, tags=told, say=say, store_patience=STORE_PATIENCE)

    result, error = attempt(folder, trial.key, trial.method, trial.experiment, run)
    if result is None and not error:
        return None
    record = record_of(trial, result, error, spent_on(folder, trial.key))
    write_record(records, record)
    return record


def score_frozen(trial: Trial, folder: Path) -> TrialRecord | None:
    """Score the weights that a trial starts from as they are, and record that; ``None`` where it was asked to stop."""
    method = method_class(trial.method)

    def run(say: Callable[[str], None]) -> tuple[dict[str, float], str]:
        start = with_starts(trial, folder)
        say("scoring frozen weights")
        return resolve(method.frozen_scores)(TrainedRun(folder, trial.method, start)), data_digest(method, start)

    found, error = attempt(folder, trial.key, trial.method, trial.experiment, run)
    if found is None and not error:
        return None
    record = record_of(trial, None, error, spent_on(folder, trial.key))
    if found:
        metrics, data = found
        record = replace(record, status="finished", metrics=metrics, data=data)
    write_record(folder, record)
    return record


def tags_of(trial: Trial) -> dict[str, str]:
    """Return tags that MLflow's runs are filtered by."""
    tags = {"trial": trial.key, "arm": trial.arm, "budget": budget_text(trial.budget), "seed": str(trial.seed)}
    return tags | {NAME_TAG: trial.label} | tags_of_starts(trial)


def tags_of_starts(training: Training) -> dict[str, str]:
    """Return the names of the pretrainings that a training starts from, and the whole chain in words; nothing if none."""
    if not training.starts:
        return {}
    return {"pretraining": ", ".join(keys_of(training.starts).values()), "lineage": lineage(training)}


def record_of(trial: Trial, result: TrainingResult | None, error: str, seconds: float) -> TrialRecord:
    """Return the record of a trial that has ended, with or without a result."""
    record = TrialRecord(
        key=trial.key,
        method=trial.method,
        arm=trial.arm,
        budget=trial.budget,
        seed=trial.seed,
        settings=trial.settings,
        seconds=seconds,
        starts=keys_of(trial.starts),
        lineage=lineage(trial),
    )
    if result is None:
        return replace(record, status="failed", error=error)
    return replace(
        record,
        metrics=result.metrics,
        run_folder=str(result.run_folder),
        checkpoint=str(result.checkpoint_last),
        mlflow_run_id=result.mlflow_run_id,
        steps=result.steps,
        stage_seconds=result.seconds,
    )


def record_of_pretraining(one: Pretraining, error: str = "") -> PretrainingRecord:
    """Return the record of a pretraining that has failed with ``error``, or else as far as it is known before it ends."""
    return PretrainingRecord(
        key=one.key,
        method=one.method,
        arm=one.arm,
        seed=one.seed,
        status="failed" if error else "finished",
        error=error,
        name=one.name,
        starts=keys_of(one.starts),
    )


def attempt(
    folder: Path, key: str, method: str, experiment: Experiment, run: Callable[[Callable[[str], None]], Result]
) -> tuple[Result | None, str]:
    """Return the result of ``run``, or the line that says why it failed; neither where it was asked to stop.

    ``run`` gets what takes its progress lines: ``logs/<key>.log`` in the sweep's folder. The time is counted, and a request to
    stop the sweep is passed on to the run.
    """
    if STOP.is_made(folder):
        return None, ""
    log = log_of(folder, key)
    log.parent.mkdir(parents=True, exist_ok=True)
    held = resources_of(experiment)
    with (
        log.open("a", buffering=1, encoding="utf-8", errors="backslashreplace") as file,
        clocked(folder, key, held.cpus, held.gpus),
    ):
        print("begins", file=file)  # the log of an attempt before ends in its error
        try:
            with stop_passed_on(folder, run_folder(method, experiment)):
                return run(lambda line: print(line, file=file)), ""
        except Stopped as stopped:
            print(stopped, file=file)
            return None, ""
        except Exception as error:
            traceback.print_exc(file=file)
            return None, first_line(error)
        finally:
            give_memory_back()


def log_of(folder: Path, key: str) -> Path:
    """Return the file of a training's progress lines."""
    return folder / "logs" / f"{key}.log"


def give_memory_back() -> None:
    """Return freed memory to the system: a process that trains one trial after the other would keep some of each.

    Each training has a thread of its own, and glibc keeps what a thread has freed for that thread's successor.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
