"""One checkpoint: a folder of safetensors and JSON, whole or not there at all.

========================== =====================================================================================
``weights.safetensors``    the method's tensors (parameters, buffers)
``optimizer-<name>...``    ``.safetensors`` with its tensors, ``.json`` with everything else
``state.json``             step, seed, counters, metrics, experiment, method, extra (JSON) state of modules
``manifest.json``          size and SHA-256 of every other file
========================== =====================================================================================
"""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from sem3d.addresses import settings_without_secrets
from sem3d.errors import UserError
from sem3d.files import read_json, stored_json, sync, usual_mode, writes_in
from sem3d.methods.initial_parts import read_safetensors

FORMAT_VERSION = 1
WEIGHTS = "weights.safetensors"
STATE = "state.json"
TEMPORARY_PREFIX = ".incomplete-"


def _is_tensor(item: Any) -> bool:
    return isinstance(item, Tensor)


def _owned(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy on the CPU that share no storage, as safetensors demands."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def write_reduced(checkpoint: Path, folder: Path) -> None:
    """Copy what the use of a model needs of a whole checkpoint, without its optimiser, to ``folder``, with a manifest.

    Files are copied as they are, but for the state of an old checkpoint that holds a password.
    """
    listed = read_json(checkpoint / "manifest.json")["files"]
    shutil.copyfile(checkpoint / WEIGHTS, folder / WEIGHTS)
    files = {WEIGHTS: listed[WEIGHTS]}
    stored, bare = read_json(checkpoint / STATE), read_state(checkpoint)
    if bare == stored:
        shutil.copyfile(checkpoint / STATE, folder / STATE)
        files[STATE] = listed[STATE]
    else:
        _write_json(folder / STATE, bare)
        files[STATE] = _listed(folder / STATE)
    _write_json(folder / "manifest.json", {"format": FORMAT_VERSION, "files": files})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True))


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file; raises :class:`OSError` where the system refuses, which the library says in words only."""
    try:
        with usual_mode(path):
            save_file(_owned(tensors), path)
    except SafetensorError as error:
        if number := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise


def bytes_of(tensors: Iterable[Any]) -> int:
    """Return the bytes that the tensors among some values take in a checkpoint."""
    return sum(value.numel() * value.element_size() for value in tensors if _is_tensor(value))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(path: Path) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    return {"size": path.stat().st_size, "sha256": _sha256(path)}


def write_checkpoint(
    folder: Path,
    model_state: dict[str, Any],
    optimizer_states: dict[str, dict[str, Any]],
    state: dict[str, Any],
) -> None:
    """Write ``folder`` beside its final place, flush it to disk and rename it: readers see all of it or nothing.

    ``model_state`` and ``optimizer_states`` are what ``state_dict()`` gives; ``state`` is a JSON value. Where a whole
    checkpoint is there already (another attempt got here first), that one stays. Raises :class:`UserError` where the disk
    is full or may not be written; nothing of it is left then.
    """
    moments = [
        value for one in optimizer_states.values() for entries in one["state"].values() for value in entries.values()
    ]
    parts = folder.with_name(f"{TEMPORARY_PREFIX}{folder.name}-{uuid.uuid4().hex[:8]}")
    with writes_in(folder, bytes_of([*model_state.values(), *moments]), "a checkpoint"):
        try:
            _write_parts(parts, model_state, optimizer_states, state)
            _commit(parts, folder)
        except OSError:
            shutil.rmtree(parts, ignore_errors=True)
            raise


def _write_parts(
    parts: Path, model_state: dict[str, Any], optimizer_states: dict[str, dict[str, Any]], state: dict[str, Any]
) -> None:
    parts.mkdir(parents=True)
    tensors = {name: value for name, value in model_state.items() if _is_tensor(value)}
    extra = {name: value for name, value in model_state.items() if not _is_tensor(value)}
    _write_tensors(parts / WEIGHTS, tensors)
    for name, optimizer_state in optimizer_states.items():
        _write_optimizer(parts, name, optimizer_state)
    _write_json(parts / STATE, {**state, "format": FORMAT_VERSION, "extra": extra})
    files = sorted(parts.iterdir())
    manifest = {file.name: _listed(file) for file in files}
    _write_json(parts / "manifest.json", {"format": FORMAT_VERSION, "files": manifest})
    for path in [*files, parts / "manifest.json", parts]:
        sync(path)


def _commit(parts: Path, folder: Path) -> None:
    if folder.exists() and problem(folder) is None:
        shutil.rmtree(parts)
        return
    if folder.exists():
        shutil.rmtree(folder)
    parts.rename(folder)
    sync(folder.parent)


def _write_optimizer(folder: Path, name: str, optimizer_state: dict[str, Any]) -> None:
    tensors = {
        f"{index}.{key}": value
        for index, entries in optimizer_state["state"].items()
        for key, value in entries.items()
        if _is_tensor(value)
    }
    plain = {
        str(index): {key: value for key, value in entries.items() if not _is_tensor(value)}
        for index, entries in optimizer_state["state"].items()
    }
    _write_tensors(folder / f"optimizer-{name}.safetensors", tensors)
    _write_json(folder / f"optimizer-{name}.json", {"state": plain, "param_groups": optimizer_state["param_groups"]})


def problem(folder: Path) -> str | None:
    """Return what is wrong with the checkpoint in ``folder``, or ``None`` if every file is as it was written."""
    manifest = stored_json(folder / "manifest.json", "format", "files")
    if manifest is None:
        return "manifest.json is missing or unreadable"
    if manifest["format"] != FORMAT_VERSION:
        return f"format {manifest['format']} is not {FORMAT_VERSION}"
    files = manifest["files"]
    if not isinstance(files, dict) or not {WEIGHTS, STATE} <= files.keys():
        return "manifest.json does not name its files"
    for name, expected in files.items():
        if Path(name).name != name:
            return f"{name} is missing"
        if not isinstance(expected, dict) or not {"size", "sha256"} <= expected.keys():
            return f"manifest.json does not say what {name} was"
        path = folder / name
        try:
            if path.stat().st_size != expected["size"] or _sha256(path) != expected["sha256"]:
                return f"{name} is not what was written"
        except OSError as error:
            return f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}"
    return None


def read_state(folder: Path) -> dict[str, Any]:
    """Return ``state.json`` of a checkpoint; raises :class:`UserError` where it is none.

    An old one may hold the address of a store with its password, which goes no further.
    """
    state = read_json(folder / STATE)
    if not isinstance(state, dict):
        raise UserError(f"{folder / STATE} is no state of a checkpoint")
    return bare_state(state)


def bare_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a checkpoint without users and passwords in its settings."""
    settings = state.get("experiment")
    return state | {"experiment": settings_without_secrets(settings)} if isinstance(settings, dict) else state


def read_model_state(folder: Path) -> dict[str, Any]:
    """Return what ``load_state_dict`` of the method takes."""
    return {**read_safetensors(folder / WEIGHTS), **read_state(folder)["extra"]}


def restore_optimizer(folder: Path, name: str, optimizer: torch.optim.Optimizer) -> None:
    """Put the saved state of optimiser ``name`` into ``optimizer``."""
    saved = read_json(folder / f"optimizer-{name}.json")
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in saved["state"].items()}
    for key, value in read_safetensors(folder / f"optimizer-{name}.safetensors").items():
        index, _, entry = key.partition(".")
        state[int(index)][entry] = value
    groups = [
        {key: tuple(value) if isinstance(value, list) and key != "params" else value for key, value in group.items()}
        for group in saved["param_groups"]
    ]
    for group, own in zip(groups, optimizer.param_groups, strict=True):
        if "fused" in own:
            group["fused"] = own["fused"]  # of this device: the counter of steps lies where the kernel wants it
    optimizer.load_state_dict({"state": state, "param_groups": groups})
