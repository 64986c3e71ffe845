"""Scores of a run by its own method: metrics of held-out data, and tables by class."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sem3d.config import Experiment
from sem3d.datasets.stream import stream_once
from sem3d.errors import UserError
from sem3d.methods.method import Method, Sources, scored
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.reporting.formatting import metric_of
from sem3d.reporting.tables import metric_table
from sem3d.runs.device import chosen_device, tensors
from sem3d.runs.quarantine import Quarantine
from sem3d.training.evaluation import Evaluation, evaluate


def scores(run: TrainedRun, options: EvaluationOptions) -> Outcome:
    """Return the method's tables by class, then its metrics."""
    found = evaluate_once(run.build(), run.experiment, run.sources)
    tables = []
    for title, content in found.artifacts.items():
        if isinstance(content, dict) and all(isinstance(value, float) for value in content.values()):
            shown = metric_of(title, "max", content.values())
            what = title.rpartition("_by_")[2]
            rows = [{what: key, shown.axis: shown.scaled(value)} for key, value in content.items()]
            tables.append(Table(rows, [what, shown.axis]))
    return Outcome([*tables, Table(*metric_table(found.metrics), digits=3)])


def evaluate_once(method: Method, experiment: Experiment, sources: Sources) -> Evaluation:
    """Score ``method`` on what is kept for that, on the device that ``run.device`` chooses; the method is moved there.

    Raises :class:`UserError` where there is none, or past the quarantine limit.
    """
    device = chosen_device(experiment.run.device)
    method.to(device)

    def to_batch(columns: dict[str, np.ndarray]) -> Any:
        return method.Batch(**tensors(columns, device))

    samples = scored(sources)
    if samples is None or not samples.table.num_rows:
        raise UserError("nothing is held out to evaluate on: raise --data.prepare.val_fraction or add data")
    at_once = experiment.run.evaluation_batch_size or experiment.run.batch_size
    batches = stream_once(samples, batch_size=at_once, rank=0, world_size=1)
    with TemporaryDirectory() as folder:
        quarantine = Quarantine(Path(folder), 0, experiment.run.quarantine_limit)
        return evaluate(method, samples, batches, to_batch, quarantine, step=0)
