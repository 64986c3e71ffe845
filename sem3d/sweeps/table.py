"""A sweep in a terminal: one line a budget, one column an arm, mean and 95 % interval over the seeds."""

from collections.abc import Sequence
from statistics import fmean

from sem3d.reporting.formatting import budget_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.tables import Cell, format_table
from sem3d.sweeps.records import SweepRecord, TrialRecord


def sweep_table(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return lines of the table, with a line before that says what it shows."""
    rows: list[dict[str, Cell]] = []
    for budget in sorted(sweep.budgets):
        row: dict[str, Cell] = {"budget": budget_text(budget)}
        for arm in sweep.arms:
            values = [
                trial.metrics[sweep.metric]
                for trial in trials
                if (trial.arm, trial.budget, trial.status) == (arm, budget, "finished")
                and sweep.metric in trial.metrics
            ]
            row[arm] = interval(values) if values else None
        rows.append(row)
    heading = f"{sweep.metric}, mean and 95 % interval over {len(sweep.seeds)} seed(s)"
    return ["", heading, "", *format_table(rows, ["budget", *sweep.arms], digits=4).splitlines(), ""]


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
