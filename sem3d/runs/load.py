"""A method built with its weights: those it starts from, and those of its frozen parts."""

from sem3d.config import Experiment
from sem3d.methods.frozen import frozen_parts
from sem3d.methods.method import Method, Sources
from sem3d.runs.checkpoint import weights_source


def build_method(
    method_class: type[Method], experiment: Experiment, sources: Sources | None
) -> tuple[Method, list[str]]:
    """Build a method, in the precision of the run and with its frozen parts loaded; return it and a line on each of those.

    Raises :class:`UserError` where weights of a frozen part are missing, damaged or do not fit.
    """
    method = method_class(experiment, sources)
    if experiment.run.precision == "float64":
        method.double()
    lines = [f"frozen {name}: {part.load(weights_source(part.source))}" for name, part in frozen_parts(method)]
    return method, lines
