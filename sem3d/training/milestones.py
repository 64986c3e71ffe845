"""Milestones between steps: evaluation, checkpoint, best so far, report."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sem3d.datasets.stream import Samples
from sem3d.runs.quarantine import Quarantine
from sem3d.runs.run_folder import write_evaluation
from sem3d.training.context import TrainingContext, seed_everything
from sem3d.training.evaluation import better, evaluate
from sem3d.training.training_state import TrainingState

EXPORTS = ".exports-"
"""Beginning of the name of a folder of files that are not whole yet."""


class Milestones:
    """Evaluations and checkpoints of one run, on one process; every process must reach the same ones."""

    def __init__(
        self, state: TrainingState, held_out: Samples | None, quarantine: Quarantine, context: TrainingContext
    ):
        self.state = state
        self.held_out = held_out
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

    def reach(
        self, evaluates: bool, saves: bool, loss: float, to_batch: Callable[[dict[str, np.ndarray]], Any]
    ) -> None:
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
                if best:
                    state.mark_best()
                state.store.prune()
            self.context.say(f"checkpoint {path}")
        self.context.tracking.flush()
        self.context.report({**counters.metrics, "step": state.step})

    def _evaluate(self, to_batch: Callable[[dict[str, np.ndarray]], Any]) -> bool:
        """Evaluate at this step; return whether it is the best so far."""
        if self.held_out is None:
            return False
        state, step, tracking = self.state, self.state.step, self.context.tracking
        seed_everything(self.run.seed, step, 0)
        at_once = self.context.items_at_once(state.experiment)
        batches = self.context.stream_once(self.held_out, batch_size=at_once, **self.context.share)
        found = evaluate(state.method, self.held_out, batches, to_batch, self.quarantine, step, self._show)
        if not found.metrics:
            return False
        listed = "  ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
        self.context.say(f"evaluation at step {step}  {listed}")
        state.counters.metrics = dict(found.metrics)
        tracking.metrics({f"validation/{name}": value for name, value in found.metrics.items()}, step)
        if self.context.leads:
            write_evaluation(self.context.run_folder, step, found.metrics, found.artifacts)
        for name, picture in found.figures.items():
            tracking.figure(name, picture, step)
        for name, content in found.artifacts.items():
            tracking.value(f"evaluation/step-{step:08d}/{name}", content)
        best = self._is_best(found.metrics)
        state.counters.without_gain = 0 if best else state.counters.without_gain + 1
        return best

    def _show(self, batch: Any) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
        """Keep what the method exports of an evaluation's first batch, and return its pictures; only on process 0."""
        if not self.context.leads:
            return {}
        method, place = self.state.method, f"step-{self.state.step:08d}"
        self.export(lambda folder: method.exports(batch, folder), place)
        return method.figures(batch)

    def _is_best(self, metrics: dict[str, float]) -> bool:
        key, direction = self.state.method.score
        counters = self.state.counters
        if key not in metrics or not better(metrics[key], counters.best, direction):
            return False
        counters.best, counters.best_step = metrics[key], self.state.step
        self.context.tracking.metrics({f"best/{key}": metrics[key]}, self.state.step)
        return True
