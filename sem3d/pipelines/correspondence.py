"""Correspondence before and after pretraining: which share of pixels find their match in the other frame."""

from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.scores import evaluate_once
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun


def correspondence(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Compare the run with the same network before pretraining, beside the match rate of guessing.

    A match is found where the nearest neighbour in feature space, among all pixels of the other frame, lies within 5 px of it.
    """
    rows = []
    for arm, source in {"before pretraining": run.started_from(options.init), "after pretraining": ""}.items():
        metrics = evaluate_once(run.build(source), run.experiment, run.sources).metrics
        rows.append(
            {
                "network": arm,
                "within 5 px, %": 100 * metrics["match_rate_5px"],
                "by chance, %": 100 * metrics["match_rate_5px_by_chance"],
                "median error, px": metrics["match_median_error_px"],
            }
        )
    before, after = (row["within 5 px, %"] for row in rows)
    ratio = f"ratio {after / before:.2f}" if before else "before: none found"
    return Outcome([Table(rows, list(rows[0]))], [f"{ratio}, on held-out pairs of {run.experiment.data.root}"])
