"""The sources of a run: opened once, and identified by their content."""

from sem3d.config import Experiment, digest
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TRAIN, Method, Sources


def open_sources(method: type[Method], experiment: Experiment) -> Sources:
    """Open what a run learns from and is evaluated on. Raises :class:`UserError` where there is nothing to learn from."""
    opened = method.sources(experiment)
    if TRAIN not in opened or not opened[TRAIN].table.num_rows:
        raise UserError("there is no training sample: look at the index, its split and the label budget")
    return opened


def content_digest(method: type[Method], sources: Sources) -> str:
    """Return what identifies the content of the sources, wherever it lies."""
    names = method.identified_by or tuple(dict.fromkeys((TRAIN, HELD_OUT, *sorted(sources))))
    return digest([sources[name].digest for name in names if name in sources])


def data_digest(method: type[Method], experiment: Experiment) -> str:
    """Open the sources of an experiment and return what identifies their content."""
    return content_digest(method, open_sources(method, experiment))
