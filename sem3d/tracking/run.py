"""MLflow, by its only doorway: one MLflow run a training run, whatever number of attempts it takes.

The driver opens the run (:func:`open_run`), process 0 writes to it (:class:`MlflowTracker`), the driver closes it
(:func:`close_run`). A retry or a resume finds the run by its ``sem3d.run`` tag and resumes it.
"""

import itertools
import json
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.config import Experiment, flatten
from sem3d.runs.progress import log_line
from sem3d.runs.run_folder import CONFIG_NAME, read_config
from sem3d.tracking.spool import Spool, is_waiting
from sem3d.tracking.store import LockedStore, find_run, origin, revision, store_client, store_errors, tag_value
from sem3d.tracking.trouble import first_line, is_away, trouble

RUN_TAG = "sem3d.run"
SPOOL_NAME = "tracking-waits"
LONGEST_PARAMETER = 6000
LONGEST_DIGEST = 36
"""Letters that MLflow keeps of a dataset's digest."""
PARAMETERS_A_REQUEST = 100
METRICS_A_REQUEST = 1000
RECORDS_AT_ONCE = 100
SECONDS_BETWEEN_WRITES = 5.0
SECONDS_BETWEEN_TRIES = 60.0


def open_run(experiment: Experiment, run_folder: Path, tags: dict[str, str]) -> tuple[str, str]:
    """Return the store's URI and the id of the MLflow run of this run folder, new or found again; ``tags`` are added to it.

    The store is ``run.tracking_uri``, else ``MLFLOW_TRACKING_URI``, else a SQLite file in the storage folder, which is
    made here once, under a lock. Raises :class:`StoreTrouble` where the store cannot be used, and of these :class:`StoreAway`
    where it does not answer.
    """
    store = LockedStore(run_folder.parent, experiment.run.tracking_uri)
    name = run_folder.name
    try:
        with store.locked():
            client = store_client(store.uri)
            experiment_id = store.experiment_id(client, experiment.run.experiment)
            run = find_run(client, experiment_id, RUN_TAG, name)
            run = run or client.create_run(experiment_id, run_name=name, tags={RUN_TAG: tag_value(name)})
            run_id = run.info.run_id
            told = origin("jobs.tune" if "sweep" in tags else "jobs.train")
            _forget_old_ends(Spool(run_folder / SPOOL_NAME))
            client.update_run(run_id, status="RUNNING")
            _write_parameters(client, run_id, experiment, set(run.data.params))
            for key, value in {**revision(), **told, **tags}.items():
                client.set_tag(run_id, key, value)
            if (run_folder / CONFIG_NAME).is_file():
                client.log_artifact(run_id, str(run_folder / CONFIG_NAME))
                _write_data(client, run, experiment, run_folder)
    except store_errors() as error:
        raise trouble(store.uri, error) from error
    return store.uri, run_id


def _write_parameters(client: Any, run_id: str, experiment: Experiment, known: set[str]) -> None:
    from mlflow.entities import Param

    leaves = [
        Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in flatten(experiment).items() if key not in known
    ]
    for first in range(0, len(leaves), PARAMETERS_A_REQUEST):
        client.log_batch(run_id, params=leaves[first : first + PARAMETERS_A_REQUEST])


def _write_data(client: Any, run: Any, experiment: Experiment, run_folder: Path) -> None:
    """Name the data of a run that has none yet as MLflow's dataset: the root's folder, its path, and the data's digest."""
    from mlflow.entities import Dataset, DatasetInput

    digest, root = str((read_config(run_folder) or {}).get("data", "")), str(flatten(experiment).get("data.root", ""))
    if not digest or not root or run.inputs.dataset_inputs:
        return
    data = Dataset(Path(root).name or root, digest[:LONGEST_DIGEST], "local", json.dumps({"uri": root}))
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(data)])


def _forget_old_ends(spool: Spool) -> None:
    """Remove the ends of earlier attempts that still wait: this attempt will have its own."""
    waiting = spool.waiting(len(spool.entries))
    spool.remove([entry for entry, record in waiting if record["kind"] == "status"])


def close_run(uri: str, run_id: str, run_folder: Path, status: str) -> None:
    """Write all that still waits and set the status: FINISHED, FAILED or KILLED; an absent server is no failure."""
    tracking = MlflowTracker(uri, run_id, run_folder)
    if is_away(uri):
        tracking.next_try = math.inf
    tracking.status(status)
    tracking.flush()
    if not tracking.spool.is_empty():
        print(
            f"MLflow at {uri} has not taken everything of run {run_id}: the rest waits in {tracking.spool.folder} and is "
            "written by the next start of the same command",
            flush=True,
        )


def write_what_waits(tracking_uri: str, run_id: str, run_folder: Path) -> None:
    """Write to the store everything that it did not take during the run; one that is still unavailable is no failure."""
    if not is_waiting(run_folder / SPOOL_NAME):
        return
    uri = LockedStore(run_folder.parent, tracking_uri).uri
    if not is_away(uri):
        MlflowTracker(uri, run_id, run_folder).flush()


class MlflowTracker:
    """Process 0's writer to an MLflow run.

    Everything is put on disk first, into the spool of the run folder; a thread of its own gives it to the store in order
    and takes it off the disk, so that training waits neither for MLflow's import nor for a slow or absent server.
    """

    def __init__(self, uri: str, run_id: str, run_folder: Path):
        self.uri, self.run_id = uri, run_id
        self.run_folder = run_folder
        self.spool = Spool(run_folder / SPOOL_NAME)
        self.written_until: dict[str, int] = {}
        self.next_write = self.next_try = 0.0
        self.writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self.client = self.writer.submit(store_client, uri)
        self.writing: list[Future[None]] = []

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Put values on disk; the store gets them every few seconds."""
        now = int(time.time() * 1000)
        points = [(name, float(value), now, step) for name, value in values.items()]
        self._add({"kind": "metrics", "points": points})

    def flush(self) -> None:
        """Wait until the store has everything, or is found to be unavailable."""
        self.writing.append(self.writer.submit(self._write))
        writing, self.writing = self.writing, []
        for write in writing:
            write.result()

    def tags(self, values: dict[str, str]) -> None:
        """Set tags of the run."""
        self._add({"kind": "tags", "values": values})

    def status(self, value: str) -> None:
        """End the run with that status."""
        self._add({"kind": "status", "value": value})

    def figure(self, name: str, picture: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Store a picture as PNG, in the run folder and in the store."""
        path = self.run_folder / "figures" / f"step-{step:08d}" / f"{name.replace('/', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        Image.fromarray(picture).save(path)
        self.file(path, f"figures/step-{step:08d}")

    def value(self, name: str, content: Any) -> None:
        """Store a JSON value as ``<name>.json``."""
        self._add({"kind": "value", "name": f"{name}.json", "content": content})

    def file(self, path: Path, folder: str = "") -> None:
        """Store a copy of a file as it is now; the original may be deleted at once."""
        self._add({"kind": "file", "folder": folder}, path)

    def _add(self, record: dict[str, Any], file: Path | None = None) -> None:
        self.spool.add(record, file)
        if time.monotonic() >= self.next_write:
            self.next_write = time.monotonic() + SECONDS_BETWEEN_WRITES
            self.writing = [write for write in self.writing if not write.done() or write.exception()]
            self.writing.append(self.writer.submit(self._write))

    def _write(self) -> None:
        """Send the store what waits, oldest first, until nothing does or it is unavailable; metrics go many at a time."""
        while time.monotonic() >= self.next_try and (oldest := self.spool.waiting(RECORDS_AT_ONCE)):
            metrics = itertools.takewhile(lambda item: item[1]["kind"] == "metrics", oldest)
            together = list(metrics) or oldest[:1]
            if not self._try([record for _, record in together]):
                return
            self.spool.remove([entry for entry, _ in together])

    def _try(self, records: list[dict[str, Any]]) -> bool:
        """Return whether the store took the records or never will; one that was unavailable is left alone for a while."""
        try:
            self._send(records)
        except store_errors() as error:
            if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE" or self._is_barred(error):
                if len(records) > 1:
                    return all(self._try([record]) for record in records)
                log_line(self.run_folder, f"MLflow refuses a record, which is left out: {first_line(error)}")
                return True
            self.next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
            log_line(
                self.run_folder, f"training continues, what MLflow does not take waits: {trouble(self.uri, error)}"
            )
            return False
        return True

    def _is_barred(self, error: Exception) -> bool:
        """Return whether a file stands among the run's artifacts where a record wants a folder: no later try would differ."""
        from mlflow.utils.file_utils import local_file_uri_to_path

        if not isinstance(error, NotADirectoryError | FileExistsError):
            return False
        return Path(local_file_uri_to_path(self.client.result().get_run(self.run_id).info.artifact_uri)).is_dir()

    def _send(self, records: list[dict[str, Any]]) -> None:
        client, record = self.client.result(), records[0]
        match record["kind"]:
            case "metrics":
                self._send_metrics(client, [point for record in records for point in record["points"]])
            case "tags":
                for name, value in record["values"].items():
                    client.set_tag(self.run_id, name, value)
            case "value":
                client.log_dict(self.run_id, record["content"], record["name"])
            case "file":
                client.log_artifact(self.run_id, str(record["file"]), record["folder"] or None)
            case "status":
                client.set_terminated(self.run_id, record["value"])

    def _send_metrics(self, client: Any, points: list[list[Any]]) -> None:
        """Write the points of steps that the store does not have yet: an attempt that resumes repeats some."""
        from mlflow.entities import Metric

        for name in {point[0] for point in points} - self.written_until.keys():
            history = client.get_metric_history(self.run_id, name)
            self.written_until[name] = max((metric.step for metric in history), default=-1)
        until, fresh = dict(self.written_until), []
        for name, value, timestamp, step in points:
            if step > until[name]:
                until[name] = step
                fresh.append(Metric(name, value, timestamp, step))
        for first in range(0, len(fresh), METRICS_A_REQUEST):
            client.log_batch(self.run_id, metrics=fresh[first : first + METRICS_A_REQUEST])
        self.written_until = until
