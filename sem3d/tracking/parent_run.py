"""The MLflow run of a sweep, parent of its trials' runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sem3d.tracking.run import RUN_TAG
from sem3d.tracking.store import LockedStore, find_run, origin, revision, store_client, store_errors, tag_value
from sem3d.tracking.trouble import check_store, first_line, trouble

SWEEP_TAG = "sem3d.sweep"
PARENT_TAG = "mlflow.parentRunId"


def open_parent(
    storage: Path, tracking_uri: str, experiment: str, name: str, parameters: Mapping[str, str]
) -> tuple[str, str]:
    """Return the store's URI and the id of the MLflow run of the sweep ``name``, new or found again by its tag.

    Raises :class:`StoreTrouble` where the store cannot be used.
    """
    store = LockedStore(storage, tracking_uri)
    try:
        with store.locked():
            client = store_client(store.uri)
            experiment_id = store.experiment_id(client, experiment)
            run = find_run(client, experiment_id, SWEEP_TAG, name)
            run = run or client.create_run(experiment_id, run_name=name, tags={SWEEP_TAG: tag_value(name)})
            client.update_run(run.info.run_id, status="RUNNING")
            for key, value in {**revision(), **origin("jobs.tune"), **parameters}.items():
                client.set_tag(run.info.run_id, key, value)
    except store_errors() as error:
        raise trouble(store.uri, error) from error
    return store.uri, run.info.run_id


def name_data(client: Any, run: Any) -> None:
    """Name as the data of a sweep's run, if it has none, those of the first of its runs that has some."""
    from mlflow.entities import DatasetInput

    if run.inputs.dataset_inputs:
        return
    below = client.search_runs([run.info.experiment_id], f"tags.`{PARENT_TAG}` = '{run.info.run_id}'")
    named = [item.inputs.dataset_inputs for item in below if item.inputs.dataset_inputs]
    if named:
        client.log_inputs(run.info.run_id, datasets=[DatasetInput(item.dataset) for item in named[0]])


def close_parent(uri: str, run_id: str, status: str) -> None:
    """Set the status of the sweep's run, FINISHED, FAILED or KILLED, if it has another; an absent server is no failure."""
    try:
        check_store(uri)
        client = store_client(uri)
        if client.get_run(run_id).info.status != status:
            client.set_terminated(run_id, status)
    except store_errors() as error:
        print(f"MLflow run {run_id} could not be set to {status}: {first_line(error)}", flush=True)


def close_children(uri: str, run_id: str) -> None:
    """Set the runs of a sweep's trials that are not closed to KILLED, where nobody else does; an absent server is no failure."""
    try:
        client = store_client(uri)
        experiment = client.get_run(run_id).info.experiment_id
        open_still = f"tags.`{PARENT_TAG}` = '{run_id}' and attributes.status = 'RUNNING'"
        for run in client.search_runs([experiment], open_still):
            client.set_terminated(run.info.run_id, "KILLED")
    except store_errors() as error:
        print(f"MLflow runs of {run_id} could not be closed: {first_line(error)}", flush=True)


def close_stopped(uri: str, experiment: str, run_name: str) -> str:
    """Close the MLflow run of a trial that was stopped from outside, and return its id, "" if there is none."""
    try:
        check_store(uri)
        client = store_client(uri)
        found = client.get_experiment_by_name(experiment)
        run = found and find_run(client, found.experiment_id, RUN_TAG, run_name)
        if not run:
            return ""
        client.set_terminated(run.info.run_id, "KILLED")
        return run.info.run_id
    except store_errors() as error:
        print(f"MLflow run of {run_name} could not be closed: {first_line(error)}", flush=True)
        return ""
