"""A sweep in a terminal: one line a budget, one column an arm, mean and 95 % interval over the seeds."""

from collections.abc import Sequence

from sem3d.evaluation.intervals import interval
from sem3d.evaluation.tables import Cell, format_table
from sem3d.training.sweeps.records import SweepRecord, TrialRecord


def sweep_table(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Lines of the table, with a line before that says what it shows."""
    rows: list[dict[str, Cell]] = []
    for budget in sorted(sweep.budgets):
        row: dict[str, Cell] = {"budget": f"{budget:g}"}
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
