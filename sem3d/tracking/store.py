"""The place of MLflow's records, the way to reach them, and the identity of the code that wrote them."""

import getpass
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sem3d.addresses import StoreUri
from sem3d.errors import UserError
from sem3d.files import locked_file
from sem3d.runs.ray_job import submitted_revision
from sem3d.tracking.answers import put_login
from sem3d.tracking.trouble import SQLITE, StoreTrouble, check_store

UNSEARCHABLE = re.compile(r"[%'\"`\\\x00-\x1f]")
MOST_NAMESAKES = 50
NAME_TAG = "mlflow.runName"
KIND_TAG, TRAINING_KIND = "mlflow.experimentKind", "custom_model_development"
"""Kind that MLflow's list of experiments shows; its page opens on runs where *Model training* is chosen at the top left."""
LOGINS: dict[str, StoreUri] = {}
"""Addresses with user and password that this process was given, by what is written down of them."""


class LockedStore:
    """The MLflow store of a storage folder; opened under a file lock, for a new SQLite store breaks if two make it at once."""

    def __init__(self, storage: Path, tracking_uri: str = ""):
        self.storage = storage
        self.uri = with_login(tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(storage))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other drivers on the same storage out meanwhile.

        Raises :class:`StoreTrouble` before that where the store cannot be used, within seconds.
        """
        check_store(self.uri)
        with locked_file(self.storage / ".mlflow.lock"):
            yield

    def experiment_id(self, client: Any, name: str, choice: str = ", or choose another run.experiment") -> str:
        """Return the id of the MLflow experiment ``name``; a local store gets its artifacts folder in the storage.

        Raises :class:`StoreTrouble` where it was deleted; ``choice`` ends the advice.
        """
        found = client.get_experiment_by_name(name)
        if found is None:
            local = self.uri.startswith("sqlite:")
            place = (self.storage / "artifacts").as_uri() if local else None
            return client.create_experiment(name, place, tags={KIND_TAG: TRAINING_KIND})
        if found.lifecycle_stage != "active":
            number, program = found.experiment_id, mlflow_program()
            purge = f"{program} gc --backend-store-uri {'STORE' if is_server(self.uri) else self.uri}"
            raise StoreTrouble(
                f"MLflow experiment '{name}' was deleted in {self.uri}: restore it (MLFLOW_TRACKING_URI={self.uri} {program} "
                f"experiments restore --experiment-id {number}), remove it for good ({purge} --experiment-ids {number}"
                f"{', on the server' if is_server(self.uri) else ''}){choice}"
            )
        return found.experiment_id


def find_run(client: Any, experiment_id: str, tag: str, name: str) -> Any:
    """Return the run whose ``tag`` has the value of ``name``, ``None`` where there is none; some databases ignore the case."""
    value = tag_value(name)
    found = client.search_runs([experiment_id], f"tags.`{tag}` = '{value}'", max_results=MOST_NAMESAKES)
    return next((run for run in found if run.data.tags.get(tag) == value), None)


def tag_value(name: str) -> str:
    """Return a name as the value of a tag that MLflow can search: letters that would end it there are written %27."""
    return UNSEARCHABLE.sub(lambda letter: f"%{ord(letter[0]):02X}", name)


def sqlite_uri(storage: Path) -> str:
    """Return the address of the store in a storage folder; raises :class:`UserError` for a path that no address can hold."""
    if "?" in str(storage):
        raise UserError(
            f"run.storage {storage} has a ? in its path, which the address of a SQLite store cannot hold: name another folder, "
            "or a store with run.tracking_uri"
        )
    return f"{SQLITE}{storage / 'mlflow.db'}"


def with_login(uri: str) -> StoreUri:
    """Return an address with its user and password: its own, else those of ``MLFLOW_TRACKING_URI`` if that is the same address,
    else those that this process was given for it earlier.
    """
    asked, around = StoreUri(uri), StoreUri(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if asked.whole != asked:
        return LOGINS.setdefault(asked, asked)
    return around if asked == around else LOGINS.get(asked, asked)


def is_server(uri: str) -> bool:
    """Return whether the store is a server, whose address a browser opens."""
    return uri.lower().startswith(("http://", "https://"))


def mlflow_program() -> str:
    """Return MLflow's program as a shell finds it that has not activated the environment."""
    path = Path(sys.executable).with_name("mlflow")
    if not path.is_file():
        return "mlflow"
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def revision() -> dict[str, str]:
    """Return tags that say which code ran: git revision (``+dirty`` where files differ from it) and versions of what matters."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        commit = submitted_revision() or "unknown"
    return {"git_revision": commit} | {f"version.{name}": version(name) for name in ("torch", "ray", "mlflow")}


def origin(program: str) -> dict[str, str]:
    """Return tags that say which program of this project wrote a run, and who ran it, as MLflow's own columns show them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = str(os.getuid())
    return {"mlflow.source.name": f"python -m {program}", "mlflow.source.type": "LOCAL", "mlflow.user": user}


def store_client(uri: str) -> Any:
    """Return an MlflowClient of ``uri`` that gives up on a silent server within seconds instead of minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    address = with_login(uri)
    if not is_server(address):
        return MlflowClient(tracking_uri=address.whole)
    put_login(address)
    return MlflowClient(tracking_uri=str(address))


def store_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a store raises that does not answer or refuses: MLflow's own, and those of its check."""
    import mlflow.exceptions
    import requests
    import sqlalchemy.exc

    return (
        mlflow.exceptions.MlflowException,
        requests.RequestException,
        sqlalchemy.exc.SQLAlchemyError,
        OSError,
        StoreTrouble,
    )
