"""What happens between steps: evaluation, checkpoint, best so far, report."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from sem3d.datasets.stream import Samples
from sem3d.runs.quarantine import Quarantine
from sem3d.runs.run_folder import write_evaluation
from sem3d.training.context import TrainingContext, seed_everything
from sem3d.training.evaluation import better, evaluate
from sem3d.training.training_state import TrainingState


class Milestones:
    """Evaluations and checkpoints of one run, on one process; every process must reach the same ones."""

    def __init__(self, state: TrainingState, held_out: Samples, quarantine: Quarantine, context: TrainingContext):
        self.state = state
        self.held_out = held_out
        self.quarantine = quarantine
        self.context = context
        self.run = state.experiment.run

    def reach(self, evaluates: bool, saves: bool, loss: float, to_batch: Callable[[dict[str, Tensor]], Any]) -> None:
        """Evaluates where due, writes a checkpoint if one is due or wanted or this is the best so far, and reports."""
        state, counters = self.state, self.state.counters
        best = self._evaluate(to_batch) if evaluates else False
        counters.metrics["loss"] = loss
        if (
            best
            or saves
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

    def _evaluate(self, to_batch: Callable[[dict[str, Tensor]], Any]) -> bool:
        """Evaluates at this step; whether it is the best so far."""
        state, step, tracking = self.state, self.state.step, self.context.tracking
        seed_everything(self.run.seed, step, 0)
        at_once = self.context.items_at_once(state.experiment)
        batches = self.context.stream_once(self.held_out, batch_size=at_once, **self.context.share)
        found = evaluate(state.method, self.held_out, batches, to_batch, self.quarantine, step, draw=self.context.leads)
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
        return self._is_best(found.metrics)

    def _is_best(self, metrics: dict[str, float]) -> bool:
        key, direction = self.state.method.score
        counters = self.state.counters
        if key not in metrics or not better(metrics[key], counters.best, direction):
            return False
        counters.best, counters.best_step = metrics[key], self.state.step
        self.context.tracking.metrics({f"best/{key}": metrics[key]}, self.state.step)
        return True
