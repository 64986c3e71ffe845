"""A sweep in a terminal: one line a budget, one column an arm, mean and 95 % interval over the seeds."""

from collections.abc import Sequence
from statistics import fmean

from sem3d.reporting.formatting import budget_text, seeds_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview, mark_lines, unranked
from sem3d.reporting.tables import Cell, format_table
from sem3d.sweeps.records import TrialRecord


def sweep_table(review: SweepReview) -> list[str]:
    """Return lines of the table, with a line before that says what it shows, and below it the marks of its numbers."""
    metric = review.metric
    rows: list[dict[str, Cell]] = []
    for budget in review.budgets.values:
        row: dict[str, Cell] = {"budget": budget_text(budget)}
        for arm in review.arms:
            by_seed = review.scores.get(arm, {}).get(budget)
            row[arm] = interval([metric.scaled(value) for value in by_seed.values()]) if by_seed else None
        rows.append(row)
    digits = 1 if metric.percent else 4
    lines = format_table(rows, ["budget", *review.arms], digits=digits).splitlines()
    over = (
        f"mean and 95 % interval over {seeds_text(review.seeds_by_cell)}"
        if review.repeated
        else "one seed, no interval"
    )
    beside = [*mark_lines(review), *filter(None, [unranked(review)])]
    return ["", f"{metric.axis}, {over}", "", *lines, "", *beside, *([""] if beside else [])]


def cost_of_a_trial(trials: Sequence[TrialRecord]) -> list[str]:
    """Return one line that divides the mean time of a finished trial, largest part of its fixed cost first."""
    whole = [trial for trial in trials if trial.status == "finished" and "training" in trial.stage_seconds]
    if not whole:
        return []
    stages = sorted({stage for trial in whole for stage in trial.stage_seconds})
    mean = {stage: fmean(trial.stage_seconds.get(stage, 0.0) for trial in whole) for stage in stages}
    mean["outside"] = max(fmean(trial.seconds for trial in whole) - sum(mean.values()), 0.0)
    useful = {stage: mean.pop(stage, 0.0) for stage in ("training", "evaluation")}
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in sorted(mean.items(), key=lambda part: -part[1]))
    return [
        f"a trial: {useful['training']:.1f} s of training, {useful['evaluation']:.1f} s of evaluation, "
        f"{sum(mean.values()):.1f} s beside them ({parts})"
    ]
