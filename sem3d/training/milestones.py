"""Milestones between steps: evaluation, checkpoint, best so far, report."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sem3d.datasets.stream import Samples
from sem3d.methods.method import HELD_OUT, TESTED, Sources
from sem3d.reporting.formatting import in_a_line
from sem3d.runs.quarantine import Quarantine
from sem3d.runs.run_folder import write_evaluation
from sem3d.training.context import TrainingContext, seed_everything
from sem3d.training.evaluation import better, evaluate
from sem3d.training.training_state import TrainingState

EXPORTS = ".exports-"
"""Beginning of the name of a folder of files that are not whole yet."""
ToBatch = Callable[[dict[str, np.ndarray]], Any]
"""Makes the method's batch of columns."""


class Milestones:
    """Evaluations and checkpoints of one run, on one process; every process must reach the same ones."""

    def __init__(self, state: TrainingState, sources: Sources, quarantine: Quarantine, context: TrainingContext):
        self.state = state
        self.held_out, self.tested = sources.get(HELD_OUT), sources.get(TESTED)
        self.quarantine = quarantine
        self.context = context
        self.run = state.experiment.run
        if context.leads:
            for leftover in context.run_folder.glob(f"{EXPORTS}*"):  # of attempts that were killed
                shutil.rmtree(leftover, ignore_errors=True)

    @property
    def out_of_patience(self) -> bool:
        """Whether as many evaluations as ``schedule.patience`` have passed without a better one; the same on every process."""
        patience = self.state.experiment.schedule.patience
        return 0 < patience <= self.state.counters.without_gain

    def export(self, write: Callable[[Path], None], place: str) -> None:
        """Keep the files that ``write`` puts into a folder, in ``exports/<place>`` of the run folder and in MLflow."""
        with TemporaryDirectory(dir=self.context.run_folder, prefix=EXPORTS) as name:
            write(Path(name))
            for path in sorted(Path(name).rglob("*")):
                if path.is_file():
                    kept = self.context.run_folder / "exports" / place / path.relative_to(name)
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(path, kept)
                    self.context.tracking.file(kept, str(Path("exports", place, path.relative_to(name)).parent))

    def reach(self, evaluates: bool, saves: bool, loss: float, to_batch: ToBatch) -> None:
        """Evaluate where due, write a checkpoint if one is due or wanted or this is the best so far, and reports."""
        state, counters = self.state, self.state.counters
        best = self._evaluate(to_batch) if evaluates else False
        counters.metrics["loss"] = loss
        if (
            best
            or saves
            or self.out_of_patience
            or state.step == state.experiment.schedule.steps
            or state.step % self.run.checkpoint_every == 0
        ):
            path = state.save()
            if self.context.leads:
                state.mark_best()
                state.store.prune()
            self.context.say(f"checkpoint {path}")
        self.context.tracking.flush()
        self.context.report({**counters.metrics, "step": state.step})

    def test(self, to_batch: ToBatch) -> dict[str, float]:
        """Score the best checkpoint on what was kept for the end; return its metrics, with the score that it was chosen by.

        Without anything kept for the end, nothing happens. The method has the weights of that checkpoint afterwards.
        """
        if self.tested is None or not self.tested.table.num_rows:
            return {}
        checkpoint, counters, key = self.state.return_to_best(), self.state.counters, self.state.method.selected_by[0]
        step = int(checkpoint.name.removeprefix("step-"))
        metrics = self._scored(self.tested, step, f"test of {checkpoint}", "test", to_batch)
        if counters.best is not None and counters.best_step == step:
            metrics[f"validation_{key}"] = counters.best
        return metrics

    def _evaluate(self, to_batch: ToBatch) -> bool:
        """Evaluate at this step; return whether it is the best so far."""
        if self.held_out is None:
            return False
        state = self.state
        metrics = self._scored(self.held_out, state.step, f"evaluation at step {state.step}", "validation", to_batch)
        if not metrics:
            return False
        state.counters.metrics = metrics
        best = self._is_best(metrics)
        state.counters.without_gain = 0 if best else state.counters.without_gain + 1
        return best

    def _scored(self, samples: Samples, step: int, said: str, kind: str, to_batch: ToBatch) -> dict[str, float]:
        """Evaluate the method, as it was at ``step``, and tell what is found; return the metrics."""
        state, tracking = self.state, self.context.tracking
        seed_everything(self.run.seed, step, 0)
        at_once = self.context.items_at_once(state.experiment)
        batches = self.context.stream_once(samples, batch_size=at_once, **self.context.share)
        found = evaluate(state.method, samples, batches, to_batch, self.quarantine, step, self._show)
        if not found.metrics:
            return {}
        listed = "  ".join(in_a_line(name, value) for name, value in found.metrics.items())
        self.context.say(f"{said}  {listed}")
        tracking.metrics({f"{kind}/{name}": value for name, value in found.metrics.items()}, step)
        if self.context.leads:
            write_evaluation(self.context.run_folder, step, found.metrics, found.artifacts)
        for name, picture in found.figures.items():
            tracking.figure(name, picture, step)
        for name, content in found.artifacts.items():
            tracking.value(f"evaluation/step-{step:08d}/{name}", content)
        return dict(found.metrics)

    def _show(self, batch: Any) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
        """Keep what the method exports of an evaluation's first batch, and return its pictures; only on process 0."""
        if not self.context.leads:
            return {}
        method, place = self.state.method, f"step-{self.state.step:08d}"
        self.export(lambda folder: method.exports(batch, folder), place)
        return method.figures(batch)

    def _is_best(self, metrics: dict[str, float]) -> bool:
        key, direction = self.state.method.selected_by
        counters = self.state.counters
        if key not in metrics or not better(metrics[key], counters.best, direction):
            return False
        counters.best, counters.best_step = metrics[key], self.state.step
        self.context.tracking.metrics({f"best/{key}": metrics[key]}, self.state.step)
        return True
