"""All trials, those that failed, and the cost of the sweep."""

import math
from dataclasses import dataclass
from typing import Any

from sem3d.reporting.formatting import MISSING, counted, duration_text
from sem3d.reporting.page.content import SweepReview, TrialLine

KINDS = ("finished", "stopped", "failed")


@dataclass(frozen=True)
class Number:
    """A number as text, and as JavaScript reads it to sort by it; that is empty where there is none."""

    text: str
    sorted_by: str


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial."""

    arm: str
    budget: Number
    seed: Number
    ended: str
    """finished, stopped or failed."""
    status: str
    value: Number
    settings: str
    steps: Number
    seconds: Number
    run_id: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One trial that failed."""

    trial: str
    error: str


@dataclass(frozen=True, kw_only=True)
class End:
    """Number of trials that ended in one way."""

    kind: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Number of trials, and of each way to end."""

    trials: str
    kinds: tuple[End, ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One resource: estimate of the dry run beside the amount that was spent."""

    name: str
    estimate: str
    spent: str


def trial_rows(review: SweepReview) -> list[TrialRow]:
    """Return one row a trial, with the settings that not all trials have in common."""
    common = _in_common(review)
    return [_row(trial, review, common) for trial in review.trials]


def failures(review: SweepReview) -> list[Failure]:
    """Return every trial that failed, by name and with its error."""
    return [
        Failure(
            trial=f"{trial.arm}, {review.budgets.text(trial.budget)}, seed {trial.seed}",
            error=trial.error or "no reason given",
        )
        for trial in review.trials
        if trial.status == "failed"
    ]


def costs(review: SweepReview) -> list[Cost]:
    """Return one row a resource that was estimated or spent; without a probe there is no estimate but the number of trials."""
    foreseen = review.estimate if review.estimate.get("seconds") else {}
    estimate = {name: value for name, value in review.estimate.items() if name in foreseen or name == "trials"}
    return [
        Cost(
            name="time" if name == "seconds" else name.replace("_", " "),
            estimate=_amount(name, estimate.get(name)),
            spent=_amount(name, review.spent.get(name)),
        )
        for name in dict.fromkeys([*estimate, *review.spent])
        if estimate.get(name) or review.spent.get(name)
    ] + [
        Cost(name=f"time of {name}", estimate=MISSING, spent=duration_text(seconds))
        for name, seconds in review.pretraining_seconds.items()
        if seconds
    ]


def shared_settings(review: SweepReview) -> dict[str, str]:
    """Return the settings that all trials have in common, as text."""
    return {
        leaf: setting_text(value) for leaf, value in sorted({**review.shared_settings, **_in_common(review)}.items())
    }


def ends(review: SweepReview) -> Ends | None:
    """Return how the trials ended; None where none has."""
    counts = {kind: sum(trial.status == kind for trial in review.trials) for kind in KINDS}
    kinds = tuple(End(kind=kind, count=count) for kind, count in counts.items() if count)
    return Ends(trials=counted(len(review.trials), "trial"), kinds=kinds) if kinds else None


def setting_text(value: Any) -> str:
    """Return a setting as one would type it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(setting_text(item) for item in value) + ")"
    return str(value)


def _in_common(review: SweepReview) -> dict[str, Any]:
    """Return the settings that every trial which has any has with the same value; nothing of a single trial."""
    each = [trial.settings for trial in review.trials if trial.settings]
    if len(each) < 2:
        return {}
    return {leaf: value for leaf, value in each[0].items() if all(leaf in one and one[leaf] == value for one in each)}


def _row(trial: TrialLine, review: SweepReview, common: dict[str, Any]) -> TrialRow:
    own = {leaf: value for leaf, value in trial.settings.items() if leaf not in common}
    settings = ", ".join(f"{leaf} {setting_text(value)}" for leaf, value in sorted(own.items()))
    return TrialRow(
        arm=trial.arm,
        budget=_number(trial.budget, review.budgets.short(trial.budget)),
        seed=_number(trial.seed, str(trial.seed)),
        ended=trial.status,
        status=trial.status if trial.counted or trial.status != "finished" else "finished, not in the curve",
        value=_number(trial.value, review.metric.text(trial.value)),
        settings=settings or MISSING,
        steps=_number(trial.steps, str(trial.steps)),
        seconds=_number(trial.seconds, duration_text(trial.seconds)),
        run_id=trial.run_id,
        link=trial.link,
    )


def _number(value: int | float, text: str) -> Number:
    value = float(value)
    if math.isinf(value):
        return Number(text, "Infinity" if value > 0 else "-Infinity")
    return Number(text, "" if math.isnan(value) else repr(value))


def _amount(name: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return MISSING
    if name.endswith("seconds"):
        return duration_text(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
