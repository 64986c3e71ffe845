"""MLflow, by its only doorway: one MLflow run a training run, whatever number of attempts it takes.

The driver opens the run (:func:`open_run`), process 0 writes to it (:class:`Tracking`), the driver closes it
(:func:`close_run`). A retry or a resume finds the run by its ``sem3d.run`` tag and goes on in it.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.config import Experiment, flatten
from sem3d.errors import UserError
from sem3d.training.no_tracking import NoTracking
from sem3d.training.progress import log_line
from sem3d.training.run_folder import CONFIG_NAME
from sem3d.training.tracking_store import LockedStore, revision

RUN_TAG = "sem3d.run"
SPOOL_NAME = "metrics-pending.json"
LONGEST_PARAMETER = 6000
PARAMETERS_A_REQUEST = 100
METRICS_A_REQUEST = 1000
SECONDS_BETWEEN_WRITES = 5.0
SECONDS_BETWEEN_TRIES = 60.0


def _client(uri: str) -> Any:
    """MlflowClient of ``uri`` that gives up on a silent server within seconds instead of minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def open_run(experiment: Experiment, run_folder: Path, tags: dict[str, str]) -> tuple[str, str]:
    """The store's URI and the id of the MLflow run of this run folder, new or found again; ``tags`` are added to it.

    The store is ``run.tracking_uri``, else ``MLFLOW_TRACKING_URI``, else a SQLite file in the storage folder, which is
    made here once, under a lock. Raises :class:`UserError` where the store cannot be reached.
    """
    store = LockedStore(run_folder.parent, experiment.run.tracking_uri)
    name = run_folder.name
    try:
        with store.locked():
            client = _client(store.uri)
            experiment_id = store.experiment_id(client, experiment.run.experiment)
            quoted = name.replace("'", "")
            found = client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{quoted}'", max_results=1)
            run = found[0] if found else client.create_run(experiment_id, run_name=name, tags={RUN_TAG: quoted})
            run_id = run.info.run_id
            client.update_run(run_id, status="RUNNING")
            _write_parameters(client, run_id, experiment, set(run.data.params))
            for key, value in {**revision(), **tags}.items():
                client.set_tag(run_id, key, value)
            if (run_folder / CONFIG_NAME).is_file():
                client.log_artifact(run_id, str(run_folder / CONFIG_NAME))
    except _store_errors() as error:
        raise UserError(
            f"MLflow store {store.uri} cannot be used ({_first_line(error)}): start the server, or set run.tracking_uri"
        ) from error
    return store.uri, run_id


def _write_parameters(client: Any, run_id: str, experiment: Experiment, known: set[str]) -> None:
    from mlflow.entities import Param

    leaves = [
        Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in flatten(experiment).items() if key not in known
    ]
    for first in range(0, len(leaves), PARAMETERS_A_REQUEST):
        client.log_batch(run_id, params=leaves[first : first + PARAMETERS_A_REQUEST])


def close_run(uri: str, run_id: str, run_folder: Path, status: str) -> None:
    """Writes metrics that still wait and sets the status: FINISHED, FAILED or KILLED; an absent server is no failure."""
    if (run_folder / SPOOL_NAME).is_file():
        Tracking(uri, run_id, run_folder).flush()
    try:
        _client(uri).set_terminated(run_id, status)
    except _store_errors() as error:
        print(f"MLflow run {run_id} could not be set to {status}: {_first_line(error)}", flush=True)


class Tracking(NoTracking):
    """Process 0's writer to an MLflow run.

    A thread of its own does the writing, in order, so that training waits neither for MLflow's import nor for a slow
    server. While the store is away, metrics wait in the run folder.
    """

    def __init__(self, uri: str, run_id: str, run_folder: Path):
        self.run_id = run_id
        self.run_folder = run_folder
        self.spool = run_folder / SPOOL_NAME
        self.buffer: list[tuple[str, float, int, int]] = []
        self.unwritten: list[tuple[str, float, int, int]] = []
        if self.spool.is_file():
            self.unwritten = [tuple(entry) for entry in json.loads(self.spool.read_text())]
        self.waiting: list[Callable[[Any], Any]] = []
        self.written_until: dict[str, int] = {}
        self.next_write = self.next_try = 0.0
        self.writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self.client = self.writer.submit(_client, uri)
        self.queued: list[Future[None]] = []

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Buffers values; they are written every few seconds."""
        now = int(time.time() * 1000)
        self.buffer += [(name, float(value), now, step) for name, value in values.items()]
        if time.monotonic() >= self.next_write:
            self._queue_metrics()

    def flush(self) -> None:
        """Waits until all is written, or found not to be; metrics then wait in the run folder, the rest in memory."""
        self.queued.append(self.writer.submit(self._write_in_order))
        self._queue_metrics()
        queued, self.queued = self.queued, []
        for writing in queued:
            writing.result()

    def tags(self, values: dict[str, str]) -> None:
        """Sets tags of the run."""
        for name, value in values.items():
            self._queue(lambda client, name=name, value=value: client.set_tag(self.run_id, name, value))

    def figure(self, name: str, picture: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Stores a picture as PNG, in the run folder and in the store."""
        path = self.run_folder / "figures" / f"step-{step:08d}" / f"{name.replace('/', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        self.file(path, f"figures/step-{step:08d}")

    def value(self, name: str, content: Any) -> None:
        """Stores a JSON value as ``<name>.json``."""
        self._queue(lambda client: client.log_dict(self.run_id, content, f"{name}.json"))

    def file(self, path: Path, folder: str = "") -> None:
        """Stores a copy of a file."""
        self._queue(lambda client: client.log_artifact(self.run_id, str(path), folder or None))

    def _queue(self, write: Callable[[Any], Any]) -> None:
        self.queued.append(self.writer.submit(self._write_in_order, write))

    def _write_in_order(self, *fresh: Callable[[Any], Any]) -> None:
        """Writes what the store did not take before, then what is fresh; what it does not take now waits."""
        self.waiting += fresh
        while self.waiting and self._try(self.waiting[0]):
            del self.waiting[0]

    def _queue_metrics(self) -> None:
        self.next_write = time.monotonic() + SECONDS_BETWEEN_WRITES
        buffer, self.buffer = self.buffer, []
        self.queued = [writing for writing in self.queued if not writing.done() or writing.exception()]
        self.queued.append(self.writer.submit(self._write_metrics, buffer))

    def _write_metrics(self, fresh: list[tuple[str, float, int, int]]) -> None:
        """Writes what earlier failed and what is fresh, without the steps that an earlier attempt has written."""
        from mlflow.entities import Metric

        self.unwritten += fresh
        while self.unwritten:
            batch = self.unwritten[:METRICS_A_REQUEST]
            points = [Metric(*entry) for entry in batch if entry[3] > self._last_step(entry[0])]
            if points and not self._try(lambda client, points=points: client.log_batch(self.run_id, metrics=points)):
                self.spool.write_text(json.dumps(self.unwritten))
                return
            self.unwritten = self.unwritten[METRICS_A_REQUEST:]
        self.spool.unlink(missing_ok=True)

    def _last_step(self, name: str) -> int:
        if name not in self.written_until:
            history: list[Any] = []
            if not self._try(lambda client: history.extend(client.get_metric_history(self.run_id, name))):
                return -1
            self.written_until[name] = max((metric.step for metric in history), default=-1)
        return self.written_until[name]

    def _try(self, write: Callable[[Any], Any]) -> bool:
        """Whether the store took ``write``; a store that was away is left alone for a while."""
        if time.monotonic() < self.next_try:
            return False
        try:
            write(self.client.result())
        except _store_errors() as error:
            self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
            log_line(self.run_folder, f"MLflow is away, training goes on: {_first_line(error)}")
            return False
        return True


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _store_errors() -> tuple[type[Exception], ...]:
    """What MLflow raises when its store does not answer or refuses."""
    import mlflow.exceptions
    import requests
    import sqlalchemy.exc

    return mlflow.exceptions.MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError, OSError
