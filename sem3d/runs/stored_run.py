"""A run on disk as the experiment it was."""

from pathlib import Path
from typing import Any

from sem3d.config import Experiment, flatten, override
from sem3d.errors import UserError
from sem3d.methods import method_class, registered_name
from sem3d.runs.checkpoint import weights_file
from sem3d.runs.checkpoint_files import read_state


def stored_experiment(source: Path) -> tuple[str, Experiment]:
    """Return registered name of the method, and experiment, of a run folder or checkpoint folder.

    Raises :class:`UserError` where there is no whole checkpoint, or its method or settings are not of this version.
    """
    state = read_state(weights_file(source).parent)
    name = registered_name(state["method"])
    if name is None:
        raise UserError(f"{source} was made by {state['method']}, which is not in the register of methods")
    template = method_class(name).presets["paper"]()
    own = flatten(template)
    return name, override(
        template, {leaf: as_leaf(value, own.get(leaf)) for leaf, value in state["experiment"].items()}
    )


def as_leaf(value: Any, like: Any) -> Any:
    """Return a JSON value as a setting: lists are tuples."""
    return tuple(value) if isinstance(like, tuple) else value
