"""Results of a sweep, for its reviewer: files beside its records and on its MLflow run, and its champion in the registry."""

import re
import time
from pathlib import Path
from typing import Any

from sem3d.files import write_json
from sem3d.reporting.formatting import budget_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview, cautions, headline, limits_by_budget, mark_lines
from sem3d.reporting.tables import markdown_table
from sem3d.runs.run_folder import CONFIG_NAME
from sem3d.sweeps.findings import inside
from sem3d.sweeps.model_card import champion_lines, choose_champion, data_of_run, model_card
from sem3d.sweeps.records import SweepRecord, read_sweep, read_trials
from sem3d.sweeps.report import (
    CHAMPION_FILE,
    CURVE,
    CURVE_TABLE,
    MARK_TABLE,
    PAGE,
    REPORT_FOLDER,
    TRIAL_TABLE,
    write_report,
)
from sem3d.sweeps.results import counting_trials, read_review
from sem3d.sweeps.standing import Standing
from sem3d.tracking.parent_run import name_data
from sem3d.tracking.registry import CHAMPION, champion_version, crown, register
from sem3d.tracking.store import LockedStore, is_server, store_client, store_errors
from sem3d.tracking.trouble import first_line

LONGEST_NOTE = 7900


def publish(sweep_folder: Path, promote: bool = False) -> list[str]:
    """Register the best checkpoint, write the report, put it on the sweep's MLflow run; return lines to print.

    The checkpoint becomes the champion of its method if it is the first, or better than the champion on the same data, or with
    ``promote``.

    May be repeated: it replaces what it wrote before. Where the store is unavailable, the report is written all the same and a
    line says how to publish it later.
    """
    folder = sweep_folder.resolve()
    sweep = read_sweep(folder)
    store = LockedStore(folder.parents[1], sweep.tracking_uri)
    again = f"python -m jobs.report {sweep_folder} --publish"
    if not sweep.mlflow_run_id:
        review = write_report(folder, folder / REPORT_FOLDER)
        return [*_findings(review, folder), "the sweep has no MLflow run: not published"]
    trouble = ""
    run_link, lines = "", []
    try:
        with store.locked():
            client = store_client(store.uri)
            experiment = client.get_run(sweep.mlflow_run_id).info.experiment_id
            run_link = f"{store.uri.rstrip('/')}/#/experiments/{experiment}/runs/" if is_server(store.uri) else ""
            lines = _register_champion(client, folder, sweep, promote)
    except store_errors() as error:
        trouble = first_line(error)
    review = write_report(folder, folder / REPORT_FOLDER, run_link=run_link)
    if not trouble:
        try:
            with store.locked():
                _log(client, sweep, review, folder)
        except store_errors() as error:
            trouble = first_line(error)
    lines = [*_findings(review, folder), *lines]
    return (
        [*lines, f"MLflow store {store.uri} did not take the report ({trouble}); later: {again}"] if trouble else lines
    )


def _findings(review: SweepReview, folder: Path) -> list[str]:
    """Return the finding in a sentence, and the places of page and pictures."""
    pictures = {effect.seed: effect.picture for effect in review.effects if effect.picture}
    picture = [f"picture    {pictures[min(pictures)]}: before and after pretraining"] if pictures else []
    places = [f"{name:<11}{folder / REPORT_FOLDER / path}" for name, path in (("curve", CURVE), ("report", PAGE))]
    return [headline(review), *picture, *places]


def _register_champion(client: Any, folder: Path, sweep: SweepRecord, promote: bool) -> list[str]:
    """Register the best checkpoint and note it beside the sweep's records; return lines that say so, none where no trial trains
    anything.
    """
    storage = folder.parents[1]
    counting, _ = counting_trials(sweep, read_trials(folder))
    if counting and not any(trial.checkpoint for trial in counting):
        return []
    champion = choose_champion(sweep, counting, storage)
    if champion is None:
        return ["champion   none: no finished trial has a whole checkpoint"]
    name = f"sem3d-{champion.trial.method}"
    run_id = champion.trial.mlflow_run_id or sweep.mlflow_run_id
    review = read_review(folder)
    tags = client.get_run(run_id).data.tags
    card, summary = model_card(name, sweep, champion, review, tags, storage)
    before = champion_version(client, name)
    version = register(client, name, champion.checkpoint, run_id, card, summary)
    data = data_of_run(inside(storage, champion.trial.run_folder) / CONFIG_NAME)["digest"]
    here = Standing(sweep.name, sweep.metric, sweep.mode, champion.score.mean, data)
    for tag, value in here.tags().items():
        client.set_model_version_tag(name, version, tag, value)
    number = str(before.version) if before else version
    there = None if number == version else Standing.of(before.tags)
    kept = "" if promote or there is None else here.why_not_above(there)
    if not kept:
        crown(client, name, version)
    uri = f"models:/{name}/{version}" if kept else f"models:/{name}@{CHAMPION}"
    write_json(
        folder / CHAMPION_FILE,
        {
            "registered as": f"{name}, version {version}" + ("" if kept else f", alias {CHAMPION}"),
            **champion_lines(champion, review),
            "load": f"python -m jobs.evaluate {uri}",
        },
    )
    client.set_tag(sweep.mlflow_run_id, "champion", f"models:/{name}/{version}")
    if kept:
        stays = f"models:/{name}@{CHAMPION} stays version {number} of sweep {there.sweep}" if there else ""
        return [
            f"best       models:/{name}/{version}",
            f"champion   {stays}: {kept}; python -m jobs.report {folder} --publish --promote makes version {version} champion",
        ]
    replaced = f", replaces version {number}{there.text()}" if there else ""
    return [f"champion   models:/{name}@{CHAMPION} (version {version}){replaced}"]


def _log(client: Any, sweep: SweepRecord, review: SweepReview, folder: Path) -> None:
    """Log report, a few metrics and tags on the sweep's run; files replace those of before."""
    run_id = sweep.mlflow_run_id
    run = client.get_run(run_id)
    for name in (PAGE, CURVE, CURVE_TABLE, TRIAL_TABLE, MARK_TABLE):
        client.log_artifact(run_id, str(folder / REPORT_FOLDER / name))
    for key, value in parent_metrics(review).items():
        if run.data.metrics.get(key) != value:
            client.log_metric(run_id, key, value, timestamp=int(time.time() * 1000), step=len(review.trials))
    name_data(client, run)
    tags = {
        "space": sweep.space,
        "metric": sweep.metric,
        "arms": ", ".join(review.arms),
        "budgets": ", ".join(review.budgets.short(value) for value in review.budgets.values),
        "seeds": ", ".join(str(seed) for seed in review.seeds),
        "finding": headline(review),
        "mlflow.note.content": note(review)[:LONGEST_NOTE],
    }
    for key, value in tags.items():
        if run.data.tags.get(key) != value:
            client.set_tag(run_id, key, value[:LONGEST_NOTE])


def parent_metrics(review: SweepReview) -> dict[str, float]:
    """Return ``best/<arm>``, the arm's best mean over seeds among its budgets, floors and bounds, and how trials ended."""
    best: dict[str, float] = {}
    for arm in review.arms:
        means = [interval(list(by_seed.values())).mean for by_seed in review.scores.get(arm, {}).values() if by_seed]
        if means:
            key = f"best/{re.sub(r'[^A-Za-z0-9_. -]', '_', arm)}"
            best[key] = max(means) if review.metric.mode == "max" else min(means)
    ended = {f"trials/{kind}": 0.0 for kind in ("finished", "stopped", "failed")}
    for trial in review.trials:
        ended[f"trials/{trial.status}"] += 1
    limits = {
        f"{kind}/{budget_text(budget)}": value
        for kind, by_budget in limits_by_budget(review).items()
        for budget, value in by_budget.items()
    }
    return dict(list(best.items())[:40]) | dict(list(limits.items())[:40]) | ended


def note(review: SweepReview) -> str:
    """Return the finding and the table in Markdown, as MLflow shows it on the run's first page."""
    columns = ["arm", *(review.budgets.short(value) for value in review.budgets.values)]
    rows = []
    for arm in review.arms:
        row: dict[str, str] = {"arm": arm}
        for budget in review.budgets.values:
            by_seed = review.scores.get(arm, {}).get(budget, {})
            if by_seed:
                row[review.budgets.short(budget)] = review.metric.with_interval(interval(list(by_seed.values())))
        rows.append(row)
    said = "\n".join(f"- {sentence}" for sentence in [*mark_lines(review), *cautions(review)])
    title = f"{review.metric.axis} by label budget"
    return f"**{headline(review)}**\n\n{title}\n\n{markdown_table(rows, columns)}\n\n{said}\n\nFull report: `{PAGE}`."
