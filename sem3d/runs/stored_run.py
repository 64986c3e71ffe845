"""A run on disk as the experiment it was, as far as a file that may come from elsewhere is to be believed."""

from pathlib import Path
from typing import Any

from sem3d.config import Experiment, as_kind, flatten, kinds, override
from sem3d.errors import UserError
from sem3d.methods import method_class, registered_name
from sem3d.runs.checkpoint import weights_file
from sem3d.runs.checkpoint_files import read_state
from sem3d.runs.run_folder import ADDED_LATER

OF_ITS_COMMAND = frozenset({"resume", "run.name", "run.storage", "run.tracking_uri", "run.experiment"})
"""Leaves that say where the command of a run wrote: the command that reads it says that anew."""


def stored_experiment(source: Path) -> tuple[str, Experiment]:
    """Return registered name of the method, and experiment, of a run folder or checkpoint folder.

    It does not say where to write (:data:`OF_ITS_COMMAND`). Raises :class:`UserError` where there is no whole checkpoint, or
    its method or settings are not of this version.
    """
    folder = weights_file(source).parent
    state = read_state(folder)
    written, leaves = state.get("method"), state.get("experiment")
    name = registered_name(written) if isinstance(written, str) else None
    if name is None or not isinstance(leaves, dict):
        raise UserError(
            f"{source} was made by {written}, which is not in the register of methods: use the version of sem3d that made it"
        )
    template = method_class(name).presets["paper"]()
    added = {leaf: value for leaf, value in ADDED_LATER.items() if leaf in flatten(template)}
    return name, override(template, added | settings_of(template, leaves, folder))


def settings_of(template: Experiment, leaves: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the JSON values that the checkpoint in ``folder`` holds as settings of the types that ``template`` declares.

    Raises :class:`UserError` for an unknown leaf and for a value of another type.
    """
    declared, settings = kinds(template), {}
    for leaf in leaves.keys() - OF_ITS_COMMAND:
        if leaf not in declared:
            raise UserError(
                f"{folder} has the setting '{leaf}', which this version does not know: use the one it was made with"
            )
        try:
            settings[leaf] = as_kind(leaves[leaf], declared[leaf])
        except (OverflowError, TypeError, ValueError) as error:
            raise UserError(f"{folder} has {leaf} {leaves[leaf]!r}: {error}") from error
    return settings
