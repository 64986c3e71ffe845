"""The report of a sweep as files: page, curve, and tables; made from its records alone."""

from pathlib import Path
from typing import Any

from PIL import Image

from sem3d.errors import UserError
from sem3d.files import stored_json
from sem3d.reporting.budget_curve import csv_text, curve_rows, draw_budget_curve
from sem3d.reporting.page import SweepReview, limits_by_budget, render_page
from sem3d.sweeps.limits import mark_rows, shown
from sem3d.sweeps.records import read_trials
from sem3d.sweeps.results import own_settings, read_review

REPORT_FOLDER = "report"
CHAMPION_FILE = "champion.json"
PAGE, CURVE, CURVE_TABLE = "report.html", "budget_curve.png", "budget_curve.csv"
TRIAL_TABLE, MARK_TABLE = "trials.csv", "marks.csv"


def write_report(folder: Path, out: Path, *, run_link: str = "") -> SweepReview:
    """Render page, curve and tables of the sweep in ``folder`` into ``out``; needs no MLflow.

    Raise :class:`UserError` where there is no sweep or ``out`` cannot be written.
    """
    review = read_review(folder, run_link=run_link, champion=stored_champion(folder))
    try:
        out.mkdir(parents=True, exist_ok=True)
        limits = limits_by_budget(review)
        curve = draw_budget_curve(review.scores, review.arms, review.metric, review.budgets, limits)
        Image.fromarray(curve).save(out / CURVE, optimize=True)
        texts = {
            CURVE_TABLE: csv_text(curve_rows(review.scores, review.arms, review.metric, limits)),
            TRIAL_TABLE: csv_text(trial_rows(folder)),
            MARK_TABLE: csv_text(mark_rows(folder)),
            PAGE: render_page(review),
        }
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"the report cannot be written to {out}: {error}") from error
    return review


def stored_champion(folder: Path) -> dict[str, str]:
    """Return what the page says of the champion; nothing where that is damaged or not there."""
    said = stored_json(folder / CHAMPION_FILE) or {}
    return said if all(isinstance(text, str) for text in said.values()) else {}


def trial_rows(folder: Path) -> list[dict[str, Any]]:
    """Return one row a trial: what it was, how it ended, its metrics and its own settings."""
    rows = []
    for trial in read_trials(folder):
        row = {"trial": trial.key, "method": trial.method, "arm": trial.arm, "budget": trial.budget, "seed": trial.seed}
        row |= {"status": trial.status, "error": trial.error, "steps": trial.steps, "seconds": trial.seconds}
        row |= {"mlflow_run_id": trial.mlflow_run_id, "pretraining": trial.lineage}
        row |= shown(trial.metrics, "metric.")
        rows.append(row | {f"setting.{leaf}": value for leaf, value in sorted(own_settings(trial).items())})
    return rows
