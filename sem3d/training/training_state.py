"""State of a run: begun from initial weights, or restored; saved as a checkpoint."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sem3d.config import Experiment, flatten
from sem3d.files import check_room
from sem3d.methods import method_name
from sem3d.methods.method import Method, Sources
from sem3d.runs.checkpoint import CHECKPOINTS, CheckpointStore, weights_source
from sem3d.runs.checkpoint_files import bytes_of, read_model_state, read_state, restore_optimizer, write_checkpoint
from sem3d.runs.load import build_method
from sem3d.training import distributed
from sem3d.training.compiler import compile_parts
from sem3d.training.context import TrainingContext, seed_everything
from sem3d.training.optim import bytes_of_moments, remember_peaks


@dataclass
class Counters:
    """Counts so far, over all processes."""

    skipped: int = 0
    nonfinite_in_a_row: int = 0
    seen: int = 0
    quarantined: int = 0
    best: float | None = None
    best_step: int = -1
    metrics: dict[str, float] = field(default_factory=dict)
    without_gain: int = 0
    """Evaluations since the best one."""
    tally: dict[str, float] = field(default_factory=dict)
    """What the method counts in training batches."""


class TrainingState:
    """The method, its optimisers, the number of done steps and the counters."""

    def __init__(
        self,
        method_class: type[Method],
        experiment: Experiment,
        sources: Sources,
        context: TrainingContext,
        asked: Experiment,
    ):
        """``asked`` is the experiment with its lengths as they were given, in steps or in epochs: checkpoints hold that."""
        self.experiment, self.asked = experiment, asked
        self.context = context
        self.store = CheckpointStore(context.run_folder / CHECKPOINTS, experiment.run.keep, context.say)
        seed_everything(experiment.run.seed)
        self.method, frozen = build_method(method_class, experiment, sources)
        for line in frozen:
            context.say(line)
        self.counters = Counters()
        self.step = 0
        start = self._newest()
        if start is None:
            self._initialise()
        else:
            self.method.load_state_dict(read_model_state(start))
        self.method.to(context.device).train()
        compile_parts(self.method, experiment.run.compiler)
        self.optimizers = self.method.optimizers()
        remember_peaks(self.optimizers)
        if start is not None:
            self._restore(start)
        if context.leads and self.step < experiment.schedule.steps:
            size = bytes_of(self.method.state_dict().values()) + bytes_of_moments(self.optimizers)
            check_room(context.run_folder, size, "a checkpoint")

    def _newest(self) -> Path | None:
        """Return the checkpoint that process 0 chose, the same on all."""
        name = None
        if self.context.leads:
            self.store.clean()
            newest = self.store.latest()
            name = newest.name if newest else None
        name = distributed.broadcast_json(name)
        return self.store.folder / name if name else None

    def _initialise(self) -> None:
        line = self.method.initialise(weights_source(self.experiment.init), self.experiment.init_without)
        self.context.say(f"initial weights: {line}")
        self.context.tracking.tags({"initial_weights": line})

    def _restore(self, start: Path) -> None:
        for name, optimizer in self.optimizers.items():
            restore_optimizer(start, name, optimizer)
        saved = read_state(start)
        self.step, self.counters = saved["step"], Counters(**saved["counters"])
        if self.context.leads:
            self.mark_best()
        self.context.say(f"resuming from step {self.step}: {start}")

    def save(self) -> Path:
        """Write a checkpoint of the done steps, by process 0; on every process, its path."""
        path = self.store.path(self.step)
        if self.context.leads:
            optimizer_states = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
            write_checkpoint(path, self.method.state_dict(), optimizer_states, self._description())
        return path

    def return_to_best(self) -> Path:
        """Give the method the weights of the best checkpoint, of the last where none is best; return which that is."""
        best = None
        if self.context.leads:
            best = (self.store.best() or self.store.path(self.step)).name
        checkpoint = self.store.folder / distributed.broadcast_json(best)
        self.method.load_state_dict(read_model_state(checkpoint))
        return checkpoint

    def mark_best(self) -> None:
        """Point the store at the best checkpoint so far, unless it does already; its pointer may have been damaged."""
        step, value = self.counters.best_step, self.counters.best
        place = self.store.path(step)
        if value is not None and place.is_dir() and self.store.named_best() != place:
            self.store.mark_best(step, self.method.selected_by[0], value)

    def _description(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "method": method_name(type(self.method)),
            "counters": dataclasses.asdict(self.counters),
            "experiment": json.loads(json.dumps(flatten(self.asked), default=str)),
            "randomness": {"seed": self.experiment.run.seed, "drawn_from": "(seed, step, process) at every step"},
        }
