"""A prediction from one file as an MLflow run of its own: its input, its results and its model."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.tracking.store import LockedStore, revision, store_client, store_errors
from sem3d.tracking.trouble import trouble

EXPERIMENT = "sem3d-predictions"


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
    run_id = ""
    try:
        with store.locked():
            client = store_client(store.uri)
            experiment = store.experiment_id(client, EXPERIMENT, choice="")
        run_id = client.create_run(experiment, run_name=given.stem, tags=revision()).info.run_id
        for name, value in made_by.items():
            client.log_param(run_id, name, value)
        client.log_image(run_id, Image.fromarray(picture[1]), picture[0])
        client.log_artifact(run_id, str(given), "input")
        for path, folder in made.items():
            client.log_artifact(run_id, str(path), folder)
        client.set_terminated(run_id)
    except store_errors() as error:
        if run_id:
            with suppress(*store_errors()):
                client.set_terminated(run_id, "FAILED")
        return f"not in MLflow: {trouble(store.uri, error)}"
    return f"MLflow     {store.uri}, experiment {EXPERIMENT}, run {given.stem}"
