"""The folder of a run: its name, its settings, and that nobody mixes two experiments in it."""

import json
from pathlib import Path
from typing import Any

from sem3d.config import NAMED_WEIGHTS, Experiment, digest, flatten, places
from sem3d.errors import UserError
from sem3d.files import stored_json, write_json
from sem3d.folders import is_there
from sem3d.methods import registered_name
from sem3d.runs.checkpoint import CHECKPOINTS, latest
from sem3d.runs.checkpoint_files import read_state

CONFIG_NAME = "config.json"
RESULT_NAME = "result.json"
EVALUATION_NAME = "evaluation.json"
RESULT = {
    "steps": int,
    "metrics": dict[str, float],
    "checkpoint_best": str,
    "checkpoint_last": str,
    "mlflow_run_id": str,
    "seconds": dict[str, float],
}
"""Types of what a result holds."""
LONGEST_NAME = 255
"""Bytes, of Linux's file systems."""
CIRCUMSTANCES = frozenset(
    {
        "resume",
        "run.name",
        "run.storage",
        "run.workers",
        "run.min_workers",
        "run.resize_every",
        "run.device",
        "run.cpus_per_worker",
        "run.gpus_per_worker",
        "run.evaluation_batch_size",
        "run.log_every",
        "run.checkpoint_every",
        "run.keep",
        "run.max_failures",
        "run.quarantine_limit",
        "run.tracking_uri",
        "run.experiment",
    }
)
"""Leaves that do not decide what is learnt: a run may go on with others."""
ADDED_LATER = {
    "optim.beta1": 0.9,
    "optim.beta2": 0.999,
    "optim.eps": 1e-8,
    "optim.fused": "auto",
    "method.latents.fused": "auto",
    "run.compiler": "never",
    "schedule.patience": 0,
    "init_without": (),
    "data.prepare.depth_scale": 0.0,
    "schedule.epochs": 0.0,
    "run.evaluate_epochs": 0.0,
    "method.embedding_layer": True,
    "method.viewpoint_batch": 0,
    "method.labels_kept": "forever",
    "method.gate_on": "last_batch",
    "method.references": "by_rule",
    "data.chosen_on": "evaluation_split",
    "data.classes": "scannet",
    "data.backdrops": 0.0,
    "data.labels.file": "",
    "data.labels.ids": (),
    "data.labels.names": (),
    "data.labels.colors": (),
    "data.labels.others": "ignored",
}
"""Leaves that older versions did not have, with the value that means what these did: left out of the identity where they have it,
so that an older run is found again by the same command."""


def identity(experiment: Experiment) -> dict[str, Any]:
    """Leave that decide what is learnt, as JSON values."""
    return deciding(json.loads(json.dumps(flatten(experiment), default=str)))


def deciding(leaves: dict[str, Any]) -> dict[str, Any]:
    """Return those leaves, as JSON values, that decide what is learnt."""
    neutral = json.loads(json.dumps(ADDED_LATER))
    return {
        name: value
        for name, value in sorted(leaves.items())
        if name not in CIRCUMSTANCES and neutral.get(name, ...) != value
    }


def data_places(experiment: Experiment) -> set[str]:
    """Return the leaves that say where data lie, which does not matter where the content is the same."""
    return {name for name, mark in places(experiment).items() if mark.kind == "data"}


def weights_places(experiment: Experiment) -> set[str]:
    """Return the leaves that name weights."""
    return {name for name, mark in places(experiment).items() if mark.kind == "weights"}


def content_name(method: str, experiment: Experiment, data: str) -> str:
    """Return a name by what is learnt from which content: the place of the data is left out."""
    leaves = {name: value for name, value in identity(experiment).items() if name not in data_places(experiment)}
    return f"{method}-{digest({**leaves, 'data': data})}"


def run_name(method: str, experiment: Experiment) -> str:
    """Return ``run.name``, or method and digest, so that the same command finds the same run."""
    name = experiment.run.name or f"{method}-{digest(identity(experiment))}"
    check_name(name, "run.name")
    return name


def check_name(name: str, setting: str, longest: int = LONGEST_NAME) -> None:
    """Raise :class:`UserError` unless a folder can have that name, and one line can show it."""
    if Path(name).name != name or name.startswith(".") or not name.isprintable():
        raise UserError(f"{setting} {name!r} must be a plain folder name")
    if len(name.encode()) > longest:
        raise UserError(f"{setting} is {len(name)} characters long, a folder's name can have {longest}: shorten it")


def run_folder(method: str, experiment: Experiment) -> Path:
    """Return where the run's folder is or would be; raises :class:`UserError` if ``run.storage`` is no folder."""
    storage = experiment.run.storage
    if "://" in storage:
        raise UserError(f"run.storage '{storage}' must be a folder that all workers share: mount it and name its path")
    return Path(storage).resolve() / run_name(method, experiment)


def open_run_folder(method: str, experiment: Experiment, data: str) -> Path:
    """Make or find the folder of a run; it holds ``config.json`` with every leaf and the digest of its data.

    Raises :class:`UserError` if a run of other settings or data has that name, if the run exists and ``resume`` is never,
    or if ``run.storage`` is not a folder one can write to.
    """
    folder = run_folder(method, experiment)
    config = folder / CONFIG_NAME
    settings = {
        "method": method,
        "digest": digest(identity(experiment)),
        "identity": identity(experiment),
        "data": data,
    }
    if is_there(config) and experiment.resume == "never":
        raise UserError(f"run {folder} exists: choose another run.name, or resume auto to go on with it")
    if before := read_config(folder) or _of_checkpoint(folder):
        _refuse_other(before, settings, experiment, folder)
    write_json(config, {**settings, "experiment": flatten(experiment)})
    return folder


def _of_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return method and identity as the newest checkpoint has them: what a run was whose ``config.json`` is lost.

    It does not tell the content of the data, so their place must be the same.
    """
    newest = latest(folder)
    if newest is None:
        return None
    state = read_state(newest)
    return {"method": registered_name(state["method"]) or state["method"], "identity": deciding(state["experiment"])}


def read_config(folder: Path) -> dict[str, Any] | None:
    """Return what :func:`open_run_folder` wrote, or ``None`` where it is absent or damaged."""
    return stored_json(folder / CONFIG_NAME, "method", "identity", "data")


def write_result(folder: Path, outcome: dict[str, Any]) -> None:
    """Mark the run as finished, with its result."""
    write_json(folder / RESULT_NAME, outcome)


def write_evaluation(folder: Path, step: int, metrics: dict[str, float], artifacts: dict[str, Any]) -> None:
    """Keep what the last evaluation found where reports look for it."""
    write_json(folder / EVALUATION_NAME, {"step": step, "metrics": metrics, "artifacts": artifacts})


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return the result of a finished run, with all of :data:`RESULT`, or ``None`` where it is absent or damaged: the run then
    ends again.
    """
    return stored_json(folder / RESULT_NAME, **RESULT)


def checkpoint_of(folder: Path, result: dict[str, Any], which: str) -> Path:
    """Return ``checkpoint_best`` or ``checkpoint_last`` of a finished run in its folder, which may have been moved since."""
    return folder / CHECKPOINTS / Path(result[which]).name


def moved(before: Any, now: Any) -> bool:
    """Return whether weights lie elsewhere now: the same run, checkpoint or file by name, and nothing at their old place."""
    if not (isinstance(before, str) and before and isinstance(now, str) and now):
        return False
    old, new = Path(before), Path(now)
    if old == new or {before, now} & set(NAMED_WEIGHTS) or is_there(old):
        return False
    own = 3 if old.parent.name == CHECKPOINTS else 1
    return old.parts[-own:] == new.parts[-own:]


def _refuse_other(there: dict[str, Any], wanted: dict[str, Any], experiment: Experiment, folder: Path) -> None:
    if not isinstance(there.get("identity"), dict):
        raise UserError(f"{folder} has damaged settings, their identity is no object: choose another run.name")
    kinds = [kind for kind in ("method", "data") if kind in there]
    before, now = ({kind: run[kind] for kind in kinds} | run["identity"] for run in (there, wanted))
    if before.get("data", ...) == now.get("data"):
        before |= {leaf: now.get(leaf) for leaf in data_places(experiment)}
    before |= {leaf: now[leaf] for leaf in weights_places(experiment) if moved(before.get(leaf), now.get(leaf))}
    changes = [
        f"{name} {before.get(name)!r} -> {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if changes:
        listed = ", ".join(changes[:5]) + (f" and {len(changes) - 5} more" if len(changes) > 5 else "")
        raise UserError(f"run {folder} has other settings ({listed}): choose another run.name")
