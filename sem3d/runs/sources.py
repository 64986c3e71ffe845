"""The sources of a run: opened once, and identified by their content."""

from functools import lru_cache
from math import ceil

from sem3d.config import Experiment, digest, override
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TRAIN, Method, Sources


def open_sources(method: type[Method], experiment: Experiment) -> Sources:
    """Open what a run learns from and is evaluated on. Raises :class:`UserError` where there is nothing to learn from."""
    opened = method.sources(experiment)
    if TRAIN not in opened or not opened[TRAIN].table.num_rows:
        raise UserError("there is no training sample: raise the label budget, or add training data to the index")
    return opened


def content_digest(method: type[Method], sources: Sources) -> str:
    """Return what identifies the content of the sources, wherever it lies."""
    names = method.identified_by or tuple(dict.fromkeys((TRAIN, HELD_OUT, *sorted(sources))))
    return digest([sources[name].digest for name in names if name in sources])


def data_digest(method: type[Method], experiment: Experiment) -> str:
    """Open the sources of an experiment and return what identifies their content."""
    return content_digest(method, open_sources(method, experiment))


def in_steps(method: type[Method], experiment: Experiment, sources: Sources | None = None) -> Experiment:
    """Return the experiment with its lengths in steps where they are given in visits to every training row.

    The sources are opened for their rows unless they are given, but only where a length is in visits.
    """
    schedule, run = experiment.schedule, experiment.run
    wanted = {
        "schedule.steps": (schedule.steps, schedule.epochs),
        "run.evaluate_every": (run.evaluate_every, run.evaluate_epochs),
    }
    epochs = {leaf: visits for leaf, (steps, visits) in wanted.items() if visits and not steps}
    if not epochs:
        return experiment
    rows = sources[TRAIN].table.num_rows if sources else _training_rows(method, experiment)
    return override(experiment, {leaf: ceil(visits * rows / run.batch_size) for leaf, visits in epochs.items()})


@lru_cache(maxsize=64)
def _training_rows(method: type[Method], experiment: Experiment) -> int:
    """Open the sources and count what is learnt from; sweeps ask this of one experiment again and again."""
    return open_sources(method, experiment)[TRAIN].table.num_rows
