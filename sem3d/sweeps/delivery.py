"""Late delivery of everything that a sweep's MLflow store did not take while it was unavailable."""

from pathlib import Path

from sem3d.sweeps.findings import inside
from sem3d.sweeps.records import read_pretrainings, read_searches, read_sweep, read_trials
from sem3d.tracking.parent_run import close_parent
from sem3d.tracking.run import write_what_waits


def deliver(folder: Path) -> None:
    """Write what waits in the run folders of all trainings of a sweep, and the status of one that has ended.

    A store that is still unavailable is no failure. Raise :class:`UserError` where there is no sweep.
    """
    sweep, storage = read_sweep(folder), folder.resolve().parents[1]
    searched = [point for points in read_searches(folder).values() for point in points]
    for ended in (*read_pretrainings(folder), *searched, *read_trials(folder)):
        if ended.mlflow_run_id and ended.run_folder:
            write_what_waits(sweep.tracking_uri, ended.mlflow_run_id, inside(storage, ended.run_folder))
    if sweep.mlflow_run_id and sweep.status:
        close_parent(sweep.tracking_uri, sweep.mlflow_run_id, sweep.status)
