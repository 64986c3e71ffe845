"""Checks before anything starts: can this experiment run on this cluster at all."""

from dataclasses import dataclass

from sem3d.config import Experiment
from sem3d.errors import UserError
from sem3d.ray_internals.cluster import largest_resources


@dataclass(frozen=True)
class Resources:
    """CPUs and GPUs of a cluster, with all the nodes it may grow to."""

    cpus: float
    gpus: float


def cluster_resources() -> Resources:
    """Return what the connected cluster has, or may grow to if it scales by itself."""
    most = largest_resources()
    return Resources(cpus=most["CPU"], gpus=most["GPU"])


def check_batches(experiment: Experiment) -> None:
    """Raise :class:`UserError` unless every worker gets an equal share of every micro-batch."""
    run, accumulate = experiment.run, experiment.optim.accumulate
    if run.min_workers > run.workers:
        raise UserError(f"run.min_workers is {run.min_workers}, it must be from 0 to run.workers {run.workers}")
    _check_length(experiment)
    if run.batch_size % (accumulate * max(run.workers, 1)):
        raise UserError(
            f"run.batch_size {run.batch_size} cannot be shared by {run.workers} workers x {accumulate} micro-batches: "
            f"choose a multiple of {accumulate * max(run.workers, 1)}"
        )


def _check_length(experiment: Experiment) -> None:
    """Raise :class:`UserError` unless the schedule has an end and the evaluations that it counts."""
    schedule, run = experiment.schedule, experiment.run
    if not (schedule.steps or schedule.epochs):
        raise UserError(f"schedule.steps is {schedule.steps}, it must be at least 1, or 0 where schedule.epochs is set")
    if schedule.patience and not (run.evaluate_every or run.evaluate_epochs):
        raise UserError(f"schedule.patience {schedule.patience} counts evaluations: set run.evaluate_every")


def worker_sizes(experiment: Experiment) -> tuple[int, ...]:
    """Return numbers of workers that the run may have, smallest first: those that share every micro-batch equally."""
    run = experiment.run
    whole = run.batch_size // experiment.optim.accumulate
    fewest = run.min_workers or run.workers
    return tuple(size for size in range(fewest, run.workers + 1) if whole % max(size, 1) == 0)


def use_gpu(experiment: Experiment, resources: Resources) -> bool:
    """Return whether workers get a GPU or their share of one, by ``run.device``.

    Raise :class:`UserError` if that asks for more than there are.
    """
    run = experiment.run
    needed = max(worker_sizes(experiment)[0], 1) * run.gpus_per_worker
    if run.device == "gpu" and resources.gpus < needed:
        raise UserError(
            f"run.device gpu needs {needed:g} GPUs for {run.workers} workers, the Ray cluster has {resources.gpus:g}: "
            "choose fewer run.workers or run.device cpu"
        )
    return run.device != "cpu" and resources.gpus >= needed


def check_cpus(experiment: Experiment, resources: Resources) -> None:
    """Raise :class:`UserError` if the workers would leave Ray Data without a CPU, which hangs without a message."""
    run, fewest = experiment.run, worker_sizes(experiment)[0]
    needed = fewest * run.cpus_per_worker + 1
    if resources.cpus < needed:
        raise UserError(
            f"{fewest} workers x {run.cpus_per_worker:g} CPUs + 1 for reading data need {needed:g} CPUs, the Ray "
            f"cluster has {resources.cpus:g}: choose fewer run.workers, a smaller run.cpus_per_worker or a larger cluster"
        )
