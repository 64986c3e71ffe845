"""Forecast of a sweep's time, from a few real steps of every kind of training in it."""

import math
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError

from sem3d.config import Experiment, digest, flatten, of_kind, override
from sem3d.datasets.tasks import deaths_told
from sem3d.errors import UserError
from sem3d.files import exclusive_lock, stored_json, write_json
from sem3d.runs.run_folder import CIRCUMSTANCES, run_folder
from sem3d.sweeps.trial import process_holds, resources_of
from sem3d.tracking.store import LockedStore
from sem3d.training.ray.launch import train
from sem3d.training.ray.preflight import Resources, cluster_resources, use_gpu

MLFLOW_EXPERIMENT = "sem3d probes"
TIMELESS = frozenset(
    {
        "init",
        "run.seed",
        "run.evaluate_every",
        "run.evaluate_epochs",
        "run.max_nonfinite",
        "optim.lr",
        "optim.momentum",
        "optim.dampening",
        "optim.weight_decay",
        "optim.clip_norm",
    }
)
"""Leaves that do not change how long a step takes, beside those of the schedule and of the label budget."""
UNTIMED = ("schedule.", "data.budget", "data.labelled")
"""Beginnings of those."""
PACE = frozenset({"run.workers", "run.device", "run.cpus_per_worker", "run.gpus_per_worker"})
"""Circumstances that do."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time of a training, by its parts, in seconds; work between steps that comes later than a probe is not in it."""

    start: float
    """Workers, data, network, first batch, end."""
    step: float
    evaluation: float

    def seconds(self, experiment: Experiment) -> float:
        """Return the seconds of a whole training, whose lengths are in steps."""
        steps, every = experiment.schedule.steps, experiment.run.evaluate_every
        evaluations = 1 + ((steps - 1) // every if every else 0)
        return self.start + steps * self.step + evaluations * self.evaluation


@dataclass(frozen=True, kw_only=True)
class Share:
    """One training's part of an estimate."""

    seconds: float
    held: Resources


def pace_of(method: str, experiment: Experiment, steps: int, say: Callable[[str], None]) -> Pace:
    """Return the pace of a kind of training, measured once for each storage folder by a run of ``steps`` steps."""
    kind = kind_of(method, experiment)
    path = Path(experiment.run.storage) / "probes" / f"{kind}.json"
    with exclusive_lock(experiment.run.storage, f"pace-{kind}"):
        known = read_pace(path)
        if known is not None:
            return known
        say(f"probing {method}: {steps} steps")
        pace = _measure(method, experiment, steps, f"probe-{kind}")
        write_json(path, asdict(pace))
        return pace


def read_pace(path: Path) -> Pace | None:
    """Return a pace that was measured before; ``None`` where there is none, or no such numbers."""
    stored = stored_json(path, *(item.name for item in fields(Pace)))
    try:
        return Pace(**{item.name: of_kind(stored[item.name], float) for item in fields(Pace)}) if stored else None
    except TypeError:
        return None


def kind_of(method: str, experiment: Experiment) -> str:
    """Return the digest of what decides how long a step, an evaluation and the start take, on the connected cluster."""
    leaves = {
        leaf: value
        for leaf, value in flatten(experiment).items()
        if leaf in PACE or not (leaf in CIRCUMSTANCES or leaf in TIMELESS or leaf.startswith(UNTIMED))
    }
    return digest([method, leaves, "gpu" if use_gpu(experiment, cluster_resources()) else "cpu"])


def _measure(method: str, experiment: Experiment, steps: int, name: str) -> Pace:
    """Return the pace of a short run where a trial would run: one without workers in a process that holds what a trial's does."""
    changes: dict[str, Any] = {"schedule.steps": steps, "schedule.warmup": 0, "init": "scratch", "run.name": name}
    changes |= {
        "run.checkpoint_every": steps,
        "run.evaluate_every": 0,
        "run.evaluate_epochs": 0.0,
        "schedule.patience": 0,
    }
    changes["run.tracking_uri"] = LockedStore(Path(experiment.run.storage).resolve(), experiment.run.tracking_uri).uri
    short = override(experiment, changes | {"run.experiment": MLFLOW_EXPERIMENT})
    if short.run.workers:
        return _timed(method, short)
    needed, there = resources_of(short).cpus, cluster_resources().cpus
    if needed > there:
        raise UserError(
            f"a trial needs {needed:g} CPUs (run.cpus_per_worker + 1 for reading data), the Ray cluster has {there:g}: choose a "
            "smaller run.cpus_per_worker or a larger cluster"
        )
    holds = process_holds([short])
    process = ray.remote(num_cpus=holds["CPU"], num_gpus=holds.get("GPU", 0.0), max_calls=1)(_timed)
    try:
        with deaths_told():
            return ray.get(process.remote(method, short))
    except RayTaskError as error:
        raise error.cause from None


def _timed(method: str, short: Experiment) -> Pace:
    """Return the pace of a run, which leaves nothing behind."""
    shutil.rmtree(run_folder(method, short), ignore_errors=True)
    start = time.monotonic()
    seconds = train(method, short, tags={"stage": "probe"}, say=lambda _: None).seconds
    whole = time.monotonic() - start
    shutil.rmtree(run_folder(method, short), ignore_errors=True)
    training, evaluation = seconds["training"], seconds["evaluation"]
    return Pace(start=whole - training - evaluation, step=training / short.schedule.steps, evaluation=evaluation)


def whole_time(shares: Iterable[float], concurrent: int) -> float:
    """Return the seconds until all are done, each started as soon as one of ``concurrent`` places is free, in order."""
    free = [0.0] * concurrent
    for seconds in shares:
        place = free.index(min(free))
        free[place] += seconds
    return max(free, default=0.0)


def totals(stages: list[list[Share]], concurrent: int) -> dict[str, float]:
    """Return ``seconds``, ``cpu_hours`` and ``gpu_hours`` of stages that follow one another."""
    shares = [share for stage in stages for share in stage]
    return {
        "seconds": math.fsum(whole_time([share.seconds for share in stage], concurrent) for stage in stages),
        "cpu_hours": math.fsum(share.seconds * share.held.cpus / 3600 for share in shares),
        "gpu_hours": math.fsum(share.seconds * share.held.gpus / 3600 for share in shares),
    }
