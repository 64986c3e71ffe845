"""Running a sweep: forecast, search, pretrainings, trials, table; started again it resumes where it was.

What has ended is on disk (:mod:`sem3d.sweeps.records`), a running training resumes from its own checkpoint, and one
process at a time runs a sweep. So the table of a sweep does not depend on how often it was interrupted.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from sem3d.errors import UserError
from sem3d.files import exclusive_lock
from sem3d.runs.progress import Listener, lines_now_and_then
from sem3d.runs.requests import STOP
from sem3d.sweeps.delivery import deliver
from sem3d.sweeps.forecast import Forecast, Terms, forecast, in_words, money
from sem3d.sweeps.opening import open_sweep
from sem3d.sweeps.plan import Request, plan
from sem3d.sweeps.records import SweepRecord, read_sweep, read_trials, sweep_folder, write_sweep
from sem3d.sweeps.results import read_review
from sem3d.sweeps.spent import clocked, spent_in_all
from sem3d.sweeps.stages import Stages
from sem3d.sweeps.table import cost_of_a_trial, sweep_table
from sem3d.sweeps.trainings import Plan
from sem3d.tracking.parent_run import close_children, close_parent
from sem3d.training.ray.cluster import connect
from sem3d.training.ray.interruption import Stopped, in_a_thread, stop_on_signals

WHOLE = "sweep"


class SweepStopped(Stopped):
    """The sweep ended early because it was asked to; the same command goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.args = ("interrupted: the same command resumes with what is left",)


def connect_for(request: Request, whole: Plan) -> None:
    """Connect to Ray as the whole sweep needs it: a local cluster has room for one trial and, for searches, the dashboard.

    Without the dashboard Ray does not clean up after a trial that a scheduler stops.
    """
    runs = [one.experiment.run for one in (*whole.trials, *whole.pretrainings)]
    connect(
        cpus=max(math.ceil(max(run.workers, 1) * run.cpus_per_worker) for run in runs) + 1, dashboard=request.search > 0
    )


def run_sweep(request: Request, terms: Terms, say: Callable[[str], None], listener: Listener | None = None) -> Path:
    """Run a sweep or what is left of it, and return its folder; with ``terms.dry_run`` it only says what it would do.

    ``listener`` is shown the newest lines of trainings; without one, they are said now and then.

    Raise :class:`UserError` for what the user can fix: a wrong setting, another copy of this sweep at work, and at the very end
    if trials have failed; :class:`SweepStopped` where it was asked to stop.
    """
    whole = plan(request)
    folder = sweep_folder(request.storage, whole.name)
    connect_for(request, whole)
    with nullcontext() if terms.dry_run else exclusive_lock(request.storage, whole.name, wait=False):
        done = sum(trial.status == "finished" for trial in read_trials(folder))
        say(f"sweep {whole.name}" + (f", {done} trials are done" if done else ""))
        foreseen = forecast(request, whole, terms, say)
        for line in foreseen.lines:
            say(line)
        if not terms.dry_run:
            _run(request, whole, terms, foreseen, folder, listener or lines_now_and_then(say))
    return folder


def _run(request: Request, whole: Plan, terms: Terms, foreseen: Forecast, folder: Path, listener: Listener) -> None:
    say = listener.say
    say("opening the sweep in MLflow (10 s where its store is new)")
    record = open_sweep(request, whole, folder, foreseen.estimate)
    request = replace(request, settings=request.settings | {"run.tracking_uri": record.tracking_uri})
    status = "FAILED"
    try:
        with stop_on_signals(folder, say) as patience, clocked(folder, WHOLE):
            failed = in_a_thread(Stages(request, record, foreseen, folder, listener).run, patience)
        if STOP.is_made(folder):
            status = "KILLED"
            raise SweepStopped
        _close(record, terms, folder, say)
        status = "FAILED" if failed else "FINISHED"
        if failed:
            raise UserError(f"{len(failed)} trials failed, the same command tries them again; the first: {failed[0]}")
    except KeyboardInterrupt:
        status = "KILLED"
        close_children(record.tracking_uri, record.mlflow_run_id)
        raise
    finally:
        try:
            write_sweep(folder, replace(read_sweep(folder), status=status))
        finally:
            close_parent(record.tracking_uri, record.mlflow_run_id, status)


def _close(record: SweepRecord, terms: Terms, folder: Path, say: Callable[[str], None]) -> None:
    """Say what came out and what it took, and publish it."""
    from sem3d.sweeps.publish import publish

    trials = read_trials(folder)
    deliver(folder)
    spent = {"trials": float(sum(trial.status == "finished" for trial in trials)), **spent_in_all(folder, WHOLE)}
    spent["money"] = money(spent, terms)
    record = replace(record, spent=spent)
    write_sweep(folder, record)
    for line in sweep_table(read_review(folder)):
        say(line)
    for line in cost_of_a_trial(trials):
        say(line)
    say(f"took {in_words(spent)}" + (f"; estimate: {in_words(record.estimate)}" if record.estimate["seconds"] else ""))
    for line in publish(folder) if spent["trials"] else []:
        say(line)
