"""Checkpoints in MLflow's model registry, as safetensors and JSON; nothing is ever unpickled.

A version is a folder of the MLflow run that trained it: ``weights.safetensors``, ``state.json``, ``manifest.json`` with their
checksums, ``model_card.md``. The version's tags say where that folder is and what its manifest must hold, so files that were
exchanged in the artifact store are found out.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sem3d.errors import UserError
from sem3d.files import exclusive_lock, read_json, replaced_folder
from sem3d.runs.checkpoint_files import STATE, WEIGHTS, problem, write_reduced
from sem3d.tracking.store import LockedStore, store_client, store_errors
from sem3d.tracking.trouble import check_store, sqlite_path, trouble

CHAMPION = "champion"
CARD = "model_card.md"
FILES = (WEIGHTS, STATE)
MANIFEST = "manifest.json"
CONTENT_TAG = "sem3d.content"
FOLDER_TAG = "sem3d.folder"
MODEL_URI = re.compile(r"models:/+(?P<name>[^/:@]+)(?:@(?P<alias>[^/:@]+)|/(?P<version>[0-9]+))")
LONGEST_DESCRIPTION = 4900


def is_model_uri(source: str) -> bool:
    """Return whether ``source`` names a registered model instead of a folder."""
    return source.startswith("models:/")


def register(client: Any, name: str, checkpoint: Path, run_id: str, card: str, summary: str) -> str:
    """Register a checkpoint under ``name`` and return its version; :func:`crown` makes it the champion.

    The same weights are never registered twice: their version gets the card of today. ``card`` becomes an
    artifact beside the weights, ``summary`` the description of the version. Raises :class:`UserError` if the checkpoint is
    damaged, and what :func:`store_errors` lists.
    """
    wrong = problem(checkpoint)
    if wrong:
        raise UserError(f"checkpoint {checkpoint} is damaged: {wrong}; nothing was registered: train it again")
    if not _exists(client, name):
        client.create_registered_model(name, tags={"sem3d": "safetensors and JSON; load with sem3d"})
    with TemporaryDirectory() as temporary:
        write_reduced(checkpoint, Path(temporary))
        content = _content(Path(temporary))
        (Path(temporary) / CARD).write_text(card, encoding="utf-8")
        found = [item for item in _versions(client, name) if item.tags.get(CONTENT_TAG) == content]
        if found:
            version, kept = found[0].version, found[0]
            client.log_artifact(kept.run_id, str(Path(temporary) / CARD), kept.tags[FOLDER_TAG])
        else:
            folder = f"model-{content[:12]}"
            client.log_artifacts(run_id, temporary, folder)
            source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
            tags = {CONTENT_TAG: content, FOLDER_TAG: folder}
            version = client.create_model_version(name, source, run_id, tags=tags).version
    client.update_model_version(name, version, description=summary[:LONGEST_DESCRIPTION])
    return str(version)


def crown(client: Any, name: str, version: str) -> None:
    """Give a version of ``name`` the alias ``champion``."""
    client.set_registered_model_alias(name, CHAMPION, version)


def champion_version(client: Any, name: str) -> Any:
    """Return the version of ``name`` that has the alias ``champion``, ``None`` where there is none."""
    found = client.search_registered_models(f"name = '{name}'", max_results=1)
    return client.get_model_version_by_alias(name, CHAMPION) if found and CHAMPION in found[0].aliases else None


def resolve(uri: str, storage: Path, tracking_uri: str = "") -> Path:
    """Return the local folder of ``models:/name@alias`` or ``models:/name/version``, its files verified.

    It holds weights, ``state.json`` and their checksums. The store is ``tracking_uri``, else ``MLFLOW_TRACKING_URI``, else the
    SQLite file in ``storage``, whose folder ``models`` keeps what was fetched. Raises :class:`UserError` where there is no such
    version, or if its files are not those that were registered.
    """
    parts = MODEL_URI.fullmatch(uri)
    if parts is None:
        raise UserError(f"'{uri}' names no model: write models:/NAME@{CHAMPION} or models:/NAME/VERSION")
    store = LockedStore(storage.resolve(), tracking_uri)
    database = sqlite_path(store.uri)
    if database is not None and not database.is_file():
        raise UserError(
            f"no MLflow store at {database} to look up {uri}: name the folder of runs (run.storage), or set MLFLOW_TRACKING_URI"
        )
    try:
        check_store(store.uri)
        client = store_client(store.uri)
        if parts["alias"]:
            version = client.get_model_version_by_alias(parts["name"], parts["alias"])
        else:
            version = client.get_model_version(parts["name"], parts["version"])
        return _fetched(client, version, store.storage / "models", uri)
    except store_errors() as error:
        raise UserError(f"{uri} cannot be fetched: {trouble(store.uri, error)}") from error


def _exists(client: Any, name: str) -> bool:
    return bool(client.search_registered_models(f"name = '{name}'", max_results=1))


def _versions(client: Any, name: str) -> list[Any]:
    """Return all versions, newest first."""
    return sorted(client.search_model_versions(f"name = '{name}'"), key=lambda item: -int(item.version))


def _content(folder: Path) -> str:
    """Return the content of a folder's manifest as a digest."""
    listed = read_json(folder / MANIFEST)["files"]
    entries = [[name, listed[name]["size"], listed[name]["sha256"]] for name in FILES]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _fetched(client: Any, version: Any, cache: Path, uri: str) -> Path:
    """Return the files of a version in the cache, fetched unless they are there already and whole."""
    content, artifacts = version.tags.get(CONTENT_TAG, ""), version.tags.get(FOLDER_TAG, "")
    if not re.fullmatch("[0-9a-f]{64}", content) or not artifacts:
        raise UserError(
            f"{uri} was not registered by sem3d: without its checksums nothing is loaded: name another version"
        )
    folder = cache / content[:24]
    with exclusive_lock(cache, f"fetch-{folder.name}"):
        if folder.is_dir() and _is_whole(folder, content):
            return folder
        with replaced_folder(folder, lambda: False) as fresh:
            loading = fresh / "loading"
            for name in (*FILES, MANIFEST):
                loading.mkdir()
                shutil.move(
                    client.download_artifacts(version.run_id, f"{artifacts}/{name}", str(loading)), fresh / name
                )
                shutil.rmtree(loading)
            if not _is_whole(fresh, content):
                raise UserError(
                    f"{uri} is damaged in the artifact store: its files are not those that were registered; register it again"
                )
    return folder


def _is_whole(folder: Path, content: str) -> bool:
    try:
        return problem(folder) is None and _content(folder) == content
    except (UserError, KeyError, TypeError):
        return False
