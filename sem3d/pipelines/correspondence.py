"""Correspondence before and after pretraining: which share of pixels find their match in the other frame."""

from sem3d.errors import UserError
from sem3d.methods.method import Effect
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.scores import evaluate_once
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun

COLUMNS = {
    "within 5 px, %": ("match_rate_5px", 100),
    "by chance, %": ("match_rate_5px_by_chance", 100),
    "median error, px": ("match_median_error_px", 1),
}


def correspondence(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Compare the run with the same network before pretraining, beside the match rate of guessing.

    A match is found where the nearest neighbour in feature space, among all pixels of the other frame, lies within 5 px of it.
    """
    found = matched(run, run.started_from(options.init))
    rows = [
        {"network": f"{arm} pretraining"} | {name: scale * metrics[key] for name, (key, scale) in COLUMNS.items()}
        for arm, metrics in {"before": found.before, "after": found.after}.items()
    ]
    before, after = found.before["match_rate_5px"], found.after["match_rate_5px"]
    ratio = f"ratio {after / before:.2f}" if before else "before: none found"
    return Outcome([Table(rows, list(rows[0]))], [f"{ratio}, on held-out pairs of {run.experiment.data.root}"])


def matched(run: TrainedRun, start: str) -> Effect:
    """Return how many matches of held-out pairs the weights ``start`` and the run's own find, and how far they are off.

    Raises :class:`UserError` where no held-out pair has a match.
    """
    keys = [key for key, _ in COLUMNS.values()]
    found = []
    for source in (start, ""):
        metrics = evaluate_once(run.build(source), run.experiment, run.sources).metrics
        if not set(keys) <= metrics.keys():
            raise UserError(f"no held-out pair of {run.experiment.data.root} has a match: nothing can be found")
        found.append({key: metrics[key] for key in keys})
    return Effect(*found)
