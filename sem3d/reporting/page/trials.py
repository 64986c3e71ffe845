"""All trials, those that failed, and what the sweep took."""

import math
from typing import Any

from sem3d.reporting.formatting import MISSING, counted, duration_text
from sem3d.reporting.page.content import SweepReview, TrialLine
from sem3d.reporting.page.markup import Markup, markup, row, table, tag

SHORT_ID = 8


def trial_table(review: SweepReview) -> Markup:
    """One row a trial; cells carry the number they sort by."""
    rows = [_trial(number, trial, review) for number, trial in enumerate(review.trials, start=1)]
    head = ["#", "arm", "budget", "seed", "status", review.metric.axis, "settings", "steps", "time", "MLflow run"]
    return table(head, rows, class_="trials sortable") if rows else Markup("")


def _trial(number: int, trial: TrialLine, review: SweepReview) -> Markup:
    settings = ", ".join(f"{leaf} {setting_text(value)}" for leaf, value in sorted(trial.settings.items()))
    identity = tag("code", trial.run_id[:SHORT_ID], title=trial.run_id) if trial.run_id else MISSING
    status = trial.status if trial.counted or trial.status != "finished" else "finished, not in the curve"
    cells = [
        tag("td", trial.arm),
        _number(trial.budget, review.budgets.short(trial.budget)),
        _number(trial.seed, str(trial.seed)),
        tag("td", status, class_=trial.status),
        _number(trial.value, review.metric.text(trial.value)),
        tag("td", settings or MISSING, class_="settings"),
        _number(trial.steps, str(trial.steps)),
        _number(trial.seconds, duration_text(trial.seconds)),
        tag("td", tag("a", identity, href=trial.link, rel="noreferrer") if trial.link else identity),
    ]
    return row(str(number), *cells)


def _number(value: int | float, text: str) -> Markup:
    return tag("td", text, data_value=_sorted_by(float(value)), class_="number")


def _sorted_by(value: float) -> str:
    """A number as JavaScript reads it; nothing where there is none."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "" if math.isnan(value) else repr(value)


def failed_trials(review: SweepReview) -> Markup:
    """Every trial that failed, by name and with its error."""
    items = [
        tag(
            "li",
            tag("b", f"{trial.arm}, {review.budgets.text(trial.budget)}, seed {trial.seed}"),
            f": {trial.error or 'no reason given'}",
        )
        for trial in review.trials
        if trial.status == "failed"
    ]
    return tag("ul", *items, class_="failed") if items else Markup("")


def cost_table(review: SweepReview) -> Markup:
    """Estimate of the dry run beside what was spent."""
    names = list(dict.fromkeys([*review.estimate, *review.spent]))
    rows = [
        row(
            "time" if name == "seconds" else name.replace("_", " "),
            _amount(name, review.estimate.get(name)),
            _amount(name, review.spent.get(name)),
        )
        for name in names
    ]
    return table(["", "estimate", "spent"], rows, class_="cost") if rows else Markup("")


def _amount(name: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return MISSING
    if name.endswith("seconds"):
        return duration_text(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def shared_settings(review: SweepReview) -> Markup:
    """Settings that all trials have in common, folded away."""
    if not review.shared_settings:
        return Markup("")
    rows = [row(leaf, setting_text(value)) for leaf, value in sorted(review.shared_settings.items())]
    summary = tag("summary", f"{counted(len(rows), 'setting')} that all trials share")
    return tag("details", summary, table(["setting", "value"], rows, class_="shared"))


def summary_line(review: SweepReview) -> Markup:
    """How many trials there are, and how they ended."""
    parts = []
    for kind in ("finished", "stopped", "failed"):
        count = sum(trial.status == kind for trial in review.trials)
        text = f"{count} {kind}"
        if count:
            parts.append(tag("a", text, href="#failed") if kind == "failed" else markup(text))
    ended = Markup(", ".join(parts))
    return markup(counted(len(review.trials), "trial"), " (", ended, ")") if parts else markup("no trial has ended")


def setting_text(value: Any) -> str:
    """A setting as one would type it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(setting_text(item) for item in value) + ")"
    return str(value)
