"""Opening a sweep's folder and MLflow run: new, or the same that was there before, never another."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.reporting.formatting import budget_text
from sem3d.runs.run_folder import read_config
from sem3d.runs.sources import data_digest
from sem3d.sweeps.plan import Request
from sem3d.sweeps.records import (
    SweepRecord,
    find_sweep,
    read_trials,
    write_sweep,
)
from sem3d.sweeps.trainings import Plan
from sem3d.tracking.parent_run import open_parent
from sem3d.tracking.store import revision


def open_sweep(request: Request, whole: Plan, folder: Path, estimate: dict[str, float]) -> SweepRecord:
    """Return the record of the sweep, written; a sweep of that name may get more arms, budgets and seeds.

    Raise :class:`UserError` if there is a sweep of that name that asked something else, or if MLflow cannot be reached.
    """
    before = find_sweep(folder)
    space, settings = request.space, _asked_settings(request)
    if before and (before.space, before.metric, before.mode, before.settings) != (
        space.name,
        space.metric,
        space.mode,
        settings,
    ):
        raise UserError(f"sweep {folder} asked something else (space, metric or settings): choose another --name")
    folder.mkdir(parents=True, exist_ok=True)
    run = whole.trials[0].experiment.run
    arms = _joined(before.arms if before else [], request.arms)
    budgets = _joined(before.budgets if before else [], request.budgets)
    tags = {"space": space.name, "metric": space.metric, "stage": "sweep", "arms": ", ".join(arms)}
    tags["budgets"] = ", ".join(budget_text(budget) for budget in budgets)
    uri, run_id = open_parent(request.storage, run.tracking_uri, run.experiment, whole.name, tags)
    record = SweepRecord(
        name=whole.name,
        space=space.name,
        metric=space.metric,
        mode=space.mode,
        arms=arms,
        budgets=budgets,
        budget_unit=space.budget_unit,
        seeds=_joined(before.seeds if before else [], request.seeds),
        settings=settings,
        tracking_uri=uri,
        mlflow_run_id=run_id,
        estimate=estimate,
        spent=before.spent if before else {},
        made=before.made if before and before.made else made_by(request),
        search_settings=json.loads(json.dumps(space.search_settings, default=str)),
    )
    write_sweep(folder, record)
    return record


def made_by(request: Request) -> dict[str, str]:
    """Return how a sweep that begins now is made, by label."""
    made = {"begun": date.today().isoformat(), "command": request.command, "commit": revision()["git_revision"]}
    return made | {"data": Path(str(request.settings.get("data.root", ""))).name}


def refuse_other_trials(whole: Plan, folder: Path) -> None:
    """Raise :class:`UserError` if an arm was tried with other settings at a budget and seed of the plan."""
    planned = {(trial.arm, trial.budget, trial.seed): trial for trial in whole.trials}
    for record in read_trials(folder):
        trial = planned.get((record.arm, record.budget, record.seed))
        if trial and trial.key != record.key:
            raise UserError(f"sweep {folder} tried {trial.label} with other settings: choose another --name")


def refuse_other_data(whole: Plan, folder: Path) -> None:
    """Raise :class:`UserError` if the data have changed since a trial of the plan was finished; looks at one of them."""
    records = {record.key: record for record in read_trials(folder) if record.status == "finished"}
    for trial in whole.trials:
        record = records.get(trial.key)
        if record:
            config = {"data": record.data} if record.data else read_config(Path(record.run_folder))
            if config is None:
                continue
            if config["data"] != data_digest(method_class(trial.method), trial.experiment):
                raise UserError(f"the data have changed since sweep {folder} ran {trial.label}: choose another --name")
            return


def _asked_settings(request: Request) -> dict[str, Any]:
    asked = request.settings | {f"pretrain.{leaf}": value for leaf, value in request.pretraining_settings.items()}
    return json.loads(json.dumps(asked, default=str))


def _joined(before: Iterable[Any], now: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([*before, *now]))
