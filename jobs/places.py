"""Paths of a command line: made absolute, since workers run in other folders.

In a Ray job the current folder is a temporary copy of what was handed in, so relative paths are taken from
``SEM3D_STORAGE``, a folder that all nodes share.
"""

import os
from pathlib import Path
from typing import TypeVar

from sem3d.addresses import StoreUri
from sem3d.config import NAMED_WEIGHTS, Place, flatten, override, places
from sem3d.errors import UserError
from sem3d.folders import await_answer
from sem3d.runs.ray_job import in_ray_job
from sem3d.tracking.trouble import LOGIN

STORAGE_VARIABLE = "SEM3D_STORAGE"
Config = TypeVar("Config")


def place(path: str | Path) -> Path:
    """Return ``path`` made absolute; raises :class:`UserError` if its file system is away."""
    expanded = Path(path).expanduser()
    shared = os.environ.get(STORAGE_VARIABLE, "")
    named = Path(shared) / expanded if in_ray_job() and shared else expanded
    await_answer(named)
    return named.resolve()


def storage_place(path: str | Path, setting: str = "run.storage") -> Path:
    """Return the storage folder made absolute; raises :class:`UserError` for a URI and where it would vanish with a job."""
    if "://" in str(path):
        raise UserError(f"{setting} '{path}' must be a folder that all workers share: mount it and name its path")
    if in_ray_job() and not Path(path).expanduser().is_absolute() and not os.environ.get(STORAGE_VARIABLE):
        raise UserError(
            f"{setting} '{path}' is relative and this is a Ray job, whose folder is removed afterwards: name a folder that "
            f"all nodes share, with --{setting} or as {STORAGE_VARIABLE} in the job's environment"
        )
    return place(path)


def store_place(uri: str) -> StoreUri:
    """Return an MLflow URI whose SQLite file, if it is one, is named by its absolute path."""
    prefix, store = "sqlite:///", StoreUri(uri)
    if store.whole != store and in_ray_job():
        print(f"Ray keeps the command of a job, and so the password for {store}: set {LOGIN} on the nodes", flush=True)
    return StoreUri(prefix + str(place(uri.removeprefix(prefix)))) if uri.startswith(prefix) else store


def absolute(config: Config) -> Config:
    """Return a configuration with every setting that names a place made absolute.

    Raises :class:`UserError` where data or weights are missing.
    """
    leaves = flatten(config)
    return override(config, {leaf: absolute_place(leaf, leaves[leaf], mark) for leaf, mark in places(config).items()})


def absolute_place(leaf: str, value: str, mark: Place) -> str:
    """Return the setting ``leaf`` made absolute, by the kind of place it names; errors as :func:`absolute`."""
    match mark.kind:
        case "data":
            if not value:
                raise UserError(f"no data: name its folder with --{leaf}")
            if not place(value).is_dir():
                raise UserError(f"no folder {place(value)}: --{leaf} must name the folder of the data")
        case "weights":
            if value in NAMED_WEIGHTS:
                return value
            if value and not place(value).exists():
                raise UserError(
                    f"no initial weights at {place(value)}: --{leaf} takes scratch, imagenet, a run folder or a file"
                )
        case "storage":
            return str(storage_place(value, leaf)) if value else ""
        case "store":
            return store_place(value)
    return str(place(value)) if value else ""
