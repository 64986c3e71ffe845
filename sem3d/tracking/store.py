"""The place of MLflow's records, the way to reach them, and the identity of the code that wrote them."""

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sem3d.files import locked_file
from sem3d.runs.ray_job import submitted_revision


class LockedStore:
    """The MLflow store of a storage folder; opened under a file lock, for a new SQLite store breaks if two make it at once."""

    def __init__(self, storage: Path, tracking_uri: str = ""):
        self.storage = storage
        self.uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{storage / 'mlflow.db'}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other drivers on the same storage out meanwhile."""
        with locked_file(self.storage / ".mlflow.lock"):
            yield

    def experiment_id(self, client: Any, name: str) -> str:
        """Return the id of the MLflow experiment ``name``; a local store gets its artifacts folder in the storage."""
        found = client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        local = self.uri.startswith("sqlite:")
        return client.create_experiment(name, (self.storage / "artifacts").as_uri() if local else None)


def is_server(uri: str) -> bool:
    """Return whether the store is a server, whose address a browser opens."""
    return uri.startswith(("http://", "https://"))


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


def store_client(uri: str) -> Any:
    """Return an MlflowClient of ``uri`` that gives up on a silent server within seconds instead of minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def store_errors() -> tuple[type[Exception], ...]:
    """Return the errors that MLflow raises when its store does not answer or refuses."""
    import mlflow.exceptions
    import requests
    import sqlalchemy.exc

    return mlflow.exceptions.MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError, OSError


def first_line(error: Exception) -> str:
    """Return the message of an error, cut to one line."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]
