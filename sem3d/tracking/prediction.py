"""Predictions from one file, and evaluations of a run, as MLflow runs of their own: what was given, and what came of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.tracking.store import LockedStore, origin, revision, store_client, store_errors
from sem3d.tracking.trouble import trouble

PREDICTIONS, EVALUATIONS = "sem3d-predictions", "sem3d-evaluations"
LONGEST_NOTE = 7900
METRICS_A_REQUEST = 1000


def record_prediction(
    store: LockedStore,
    made_by: dict[str, str],
    given: Path,
    made: Mapping[Path, str],
    picture: tuple[str, UInt8[np.ndarray, "height width 3"]],
) -> str:
    """Store the file ``given``, those ``made``, each in its folder, and a picture by its name, with the parameters ``made_by``.

    Returns a line that says where; an unavailable store is no failure, the line says so then.
    """

    def write(client: Any, run_id: str) -> None:
        client.log_image(run_id, Image.fromarray(picture[1]), picture[0])
        client.log_artifact(run_id, str(given), "input")
        for path, folder in made.items():
            client.log_artifact(run_id, str(path), folder)

    name = f"{next(iter(made.values()), 'picture')} of {given.stem}"
    return _recorded(store, PREDICTIONS, name, origin("jobs.predict"), made_by, write)


def record_evaluation(
    store: LockedStore,
    name: str,
    made_by: dict[str, str],
    tables: Sequence[str],
    files: Sequence[Path],
    numbers: Mapping[str, float],
) -> str:
    """Store tables in Markdown, files and numbers of an evaluation, with the parameters ``made_by``; returns as
    :func:`record_prediction` does.
    """

    def write(client: Any, run_id: str) -> None:
        log_numbers(client, run_id, numbers)
        note = "\n\n".join(tables)
        client.set_tag(run_id, "mlflow.note.content", note[:LONGEST_NOTE])
        client.log_text(run_id, note, "tables.md")
        for path in files:
            client.log_artifact(run_id, str(path), "figures")

    return _recorded(store, EVALUATIONS, name, origin("jobs.evaluate"), made_by, write)


def log_numbers(client: Any, run_id: str, numbers: Mapping[str, float]) -> None:
    """Log numbers as metrics, without steps, in as many requests as the store wants."""
    from mlflow.entities import Metric

    now = int(1000 * time.time())
    metrics = [Metric(key, value, now, 0) for key, value in numbers.items()]
    for first in range(0, len(metrics), METRICS_A_REQUEST):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_A_REQUEST])


def _recorded(
    store: LockedStore,
    experiment: str,
    name: str,
    told: dict[str, str],
    parameters: Mapping[str, str],
    write: Callable[[Any, str], None],
) -> str:
    run_id = ""
    try:
        with store.locked():
            client = store_client(store.uri)
            place = store.experiment_id(client, experiment, choice="")
        run_id = client.create_run(place, run_name=name, tags=revision() | told).info.run_id
        for parameter, value in parameters.items():
            client.log_param(run_id, parameter, value)
        write(client, run_id)
        client.set_terminated(run_id)
    except store_errors() as error:
        if run_id:
            with suppress(*store_errors()):
                client.set_terminated(run_id, "FAILED")
        return f"not in MLflow: {trouble(store.uri, error)}"
    return f"MLflow     {store.uri}, experiment {experiment}, run {name}"
