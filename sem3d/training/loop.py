"""The training loop, the same for every method: batches in; steps, evaluations and checkpoints out.

Everything a run has learnt is in its checkpoints and everything random is drawn from (seed, step, process), so a run that
was interrupted goes on exactly as if it had not been. Ray restarts the loop after a failure; the loop then looks at its own
store, and needs nothing of Ray's bookkeeping.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.stream import Samples, StreamedBatch
from sem3d.errors import UserError
from sem3d.files import writes_in
from sem3d.methods.method import TRAIN, Method, Sources
from sem3d.runs.device import sent, tensors
from sem3d.runs.progress import Progress, progress_line
from sem3d.runs.quarantine import Quarantine, quarantine_report
from sem3d.runs.sources import in_steps, open_sources
from sem3d.training import distributed
from sem3d.training.context import TrainingContext, seed_everything
from sem3d.training.milestones import Milestones
from sem3d.training.optim import apply_schedule
from sem3d.training.passes import PassesOfARun
from sem3d.training.ray.interruption import StopRequests
from sem3d.training.ray.preemption import CheckpointRequests
from sem3d.training.stages import Stages
from sem3d.training.step import StepOutcome, data_parallel, training_step
from sem3d.training.system_metrics import system_metrics
from sem3d.training.training_state import TrainingState


def fit(
    method_class: type[Method], experiment: Experiment, context: TrainingContext, sources: Sources | None = None
) -> dict[str, Any]:
    """Train to the last step and return the run's result, the same on every process.

    Resumes from the newest whole checkpoint in ``context.run_folder``. ``sources`` are opened here unless the caller has.
    Raises :class:`UserError` for what the user can fix: too many unusable samples, too many steps in a row that are not
    finite, a folder without room for a checkpoint or that may not be written.
    """
    opened = open_sources(method_class, experiment) if sources is None else sources
    with writes_in(context.run_folder):
        return TrainingLoop(method_class, experiment, opened, context).run()


SentBatch = tuple[StreamedBatch, Callable[[], dict[str, Tensor]]]
"""A micro-batch, and what gives its columns on the device."""


class TrainingLoop:
    """One attempt at a run, on one process."""

    def __init__(self, method_class: type[Method], experiment: Experiment, sources: Sources, context: TrainingContext):
        self.sources = sources
        asked, experiment = experiment, in_steps(method_class, experiment, sources)
        self.experiment, self.context, self.tracking = experiment, context, context.tracking
        self.stages = Stages(context.launched)
        self.stages.ends("start")
        self.streamed: Samples | None = None
        self.batches: Iterator[StreamedBatch] = iter(())
        self.looks_ahead = context.device.type == "cuda"
        self.next_batches: list[SentBatch] = []
        self._tell_of_the_data()
        self.state = TrainingState(method_class, experiment, sources, context, asked)
        self._tell_of_the_network()
        self.counters = self.state.counters
        self.model = data_parallel(self.state.method, self.state.optimizers)
        self.quarantine = Quarantine(context.run_folder, distributed.rank(), experiment.run.quarantine_limit)
        self.milestones = Milestones(self.state, sources, self.quarantine, context)
        self.passes = PassesOfARun(context, self.quarantine, context.items_at_once(experiment))
        self.progress = Progress(self.state.step, experiment.schedule.steps)
        self.unusable = 0
        self.tally: dict[str, float] = {}
        self.warned = ""
        self.last_losses: dict[str, dict[str, float]] = {}
        self.stop_requests = StopRequests(context.run_folder)
        self.checkpoint_requests = CheckpointRequests(context.run_folder, context.reclaimed)
        self.tracking.tags({"data_digest": sources[TRAIN].digest, "device": str(context.device)})
        self.stages.ends("build")

    def _tell_of_the_data(self) -> None:
        described = {samples.described: samples for samples in self.sources.values() if samples.described}
        for line, samples in described.items():
            self.context.say(line)
            if samples.left_out:
                self.tracking.file(samples.left_out, "index")

    def _tell_of_the_network(self) -> None:
        parameters, run = list(self.state.method.parameters()), self.experiment.run
        trained = sum(value.numel() for value in parameters if value.requires_grad)
        self.context.say(
            f"network: {sum(value.numel() for value in parameters):,} parameters, {trained:,} trained; {run.batch_size} samples "
            f"a step, {run.precision} on {self.context.device}"
        )

    def run(self) -> dict[str, Any]:
        """Return all remaining steps, then the result; ``{"stopped": step, "checkpoint": path}`` if it was asked to stop."""
        run, last_step = self.experiment.run, self.experiment.schedule.steps
        while self.state.step < last_step and not self.milestones.out_of_patience:
            outcome = self._step()
            self.state.step += 1
            ends = self.state.step == last_step
            wish = distributed.broadcast_json(self._wish()) if outcome.stop and not ends else ""
            stops = wish == "stop"
            if ends or self.state.step % run.log_every == 0:
                self._log(outcome)
            evaluates = ends or (run.evaluate_every > 0 and self.state.step % run.evaluate_every == 0)
            if evaluates or wish or self.state.step % run.checkpoint_every == 0:
                self.stages.ends("training")
                with self.progress.pause():
                    self._gather_quarantine()
                    self.milestones.reach(evaluates, bool(wish), sum(outcome.losses.values()), self._to_batch)
                self.stages.ends("evaluation")
            if wish and self.context.leads:
                self.checkpoint_requests.meet()
            if stops:
                return {"stopped": self.state.step, "checkpoint": str(self.state.store.path(self.state.step))}
        return self._finish()

    def _wish(self) -> str:
        """Return what process 0 was asked to do between steps: ``stop`` (with a checkpoint), ``checkpoint`` or nothing."""
        if not self.context.leads:
            return ""
        return "stop" if self.stop_requests() else "checkpoint" if self.checkpoint_requests() else ""

    def _follow_samples(self) -> None:
        """Open the stream from this step on where the method learns from other rows than before."""
        samples = self.state.method.training_samples(self.state.step, self.sources)
        if samples is self.streamed:
            return
        self.streamed, self.next_batches = samples, []
        self.batches = self.context.stream_batches(
            samples,
            seed=self.experiment.run.seed,
            batch_size=self.experiment.run.batch_size,
            accumulate=self.experiment.optim.accumulate,
            first_step=self.state.step,
            last_step=self.experiment.schedule.steps,
            **self.context.share,
        )

    def _pulled(self) -> list[SentBatch]:
        """Return the micro-batches of one step, on their way to the device."""
        with self.progress.waiting():
            pulled = [next(self.batches) for _ in range(self.experiment.optim.accumulate)]
        return [(one, sent(one.columns, self.context.device)) for one in pulled]

    def _look_ahead(self) -> None:
        """Pull the next step's micro-batches while the GPU is busy with this one's; a CPU has no time to spare."""
        if self.looks_ahead and self.state.step + 1 < self.experiment.schedule.steps:
            self.next_batches = self._pulled()

    def _to_batch(self, columns: dict[str, np.ndarray]) -> Any:
        return self.state.method.Batch(**tensors(columns, self.context.device))

    def _received(self, columns: Callable[[], dict[str, Tensor]]) -> Any:
        return self.state.method.Batch(**columns())

    def _step(self) -> StepOutcome:
        step, seed, method = self.state.step, self.experiment.run.seed, self.state.method
        seed_everything(seed, step)
        self.passes.step = step
        with self.progress.pause():
            method.between_steps(step, self.sources, self.passes)
        self._follow_samples()
        apply_schedule(self.experiment.schedule, self.state.optimizers, method, step)
        micro_batches, self.next_batches = self.next_batches or self._pulled(), []
        if "first_batch" not in self.stages.seconds:
            self.stages.ends("first_batch")
        for micro_batch, _ in micro_batches:
            self.quarantine.add("training", step, micro_batch.failures)
            self.unusable += len(micro_batch.failures)
            for name, count in method.tally(micro_batch.columns).items():
                self.tally[name] = self.tally.get(name, 0.0) + count
        seed_everything(seed, step, distributed.rank() + 1)
        outcome = training_step(
            self.model,
            method,
            self.state.optimizers,
            [partial(self._received, columns) for _, columns in micro_batches],
            self.experiment,
            step,
            stop=bool(self._wish()),
            meanwhile=self._look_ahead,
        )
        self.last_losses |= dict.fromkeys(outcome.active, outcome.losses)
        self._count(outcome)
        return outcome

    def _count(self, outcome: StepOutcome) -> None:
        counters, limit = self.counters, self.experiment.run.max_nonfinite
        counters.seen += self.experiment.run.batch_size
        counters.skipped += not outcome.finite
        counters.nonfinite_in_a_row = 0 if outcome.finite else counters.nonfinite_in_a_row + 1
        if counters.nonfinite_in_a_row and counters.nonfinite_in_a_row >= limit:
            losses = ", ".join(f"{name} {value:g}" for name, value in outcome.losses.items())
            raise UserError(
                f"{counters.nonfinite_in_a_row} steps in a row up to step {self.state.step + 1} were not finite ({losses}, "
                f"gradient norm {outcome.gradient_norm:g}): lower optim.lr, set optim.clip_norm, or look at the data"
            )

    def _gather_quarantine(self) -> None:
        counters = self.counters
        counters.quarantined += int(distributed.all_sum(torch.tensor(float(self.unusable))))
        self.unusable = 0
        self.quarantine.check("training", counters.quarantined, counters.seen)
        names = sorted(self.tally)
        if names:
            found = distributed.all_sum(torch.tensor([self.tally[name] for name in names])).tolist()
            counters.tally |= {
                name: counters.tally.get(name, 0.0) + count for name, count in zip(names, found, strict=True)
            }
            self.tally = {}

    def _log(self, outcome: StepOutcome) -> None:
        self._gather_quarantine()
        state, counters = self.state, self.counters
        rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in state.optimizers.items()}
        rate = next(iter(rates.values()))
        speed = self.progress.lap(state.step, self.experiment.run.batch_size)
        last_step = self.experiment.schedule.steps
        counts = (counters.skipped, counters.quarantined)
        self.context.say(progress_line(state.step, last_step, outcome.losses, speed, rate, *counts))
        values = {"loss": sum(outcome.losses.values()), "learning_rate": rate, "gradient_norm": outcome.gradient_norm}
        for losses in self.last_losses.values():
            values |= {f"loss/{name}": value for name, value in losses.items()}
        if len(rates) > 1:
            values |= {f"learning_rate/{name}": value for name, value in rates.items()}
            values |= {f"optimizer_loss/{name}": sum(losses.values()) for name, losses in self.last_losses.items()}
        values |= {"samples_per_second": speed["samples_per_second"], "data_stall": speed["stall"]}
        values |= {"skipped_steps": counters.skipped, "quarantined": counters.quarantined}
        values |= self._weighed()
        self.tracking.metrics({f"train/{name}": value for name, value in values.items()}, state.step)
        if self.context.leads:
            self.tracking.metrics(system_metrics(self.context.device), state.step)

    def _weighed(self) -> dict[str, float]:
        """Return the method's metrics of what it counts; a warning is said once."""
        metrics, warning = self.state.method.weigh(self.counters.tally)
        if warning and not self.warned:
            self.context.say(warning)
        self.warned = self.warned or warning
        return metrics

    def _finish(self) -> dict[str, Any]:
        counters = self.counters
        result: dict[str, Any] = {}
        if self.context.leads:
            self.milestones.export(lambda folder: self.state.method.final_exports(self.sources, folder), "final")
        tested = self.milestones.test(self._to_batch)
        if tested:
            counters.metrics = {"loss": counters.metrics["loss"]} | tested
            self.stages.ends("test")
        if self.context.leads:
            last = self.state.store.path(self.state.step)
            best = self.state.store.best() or last
            totals = {"skipped_steps": float(counters.skipped), "quarantined": float(counters.quarantined)}
            result = {
                "steps": self.state.step,
                "metrics": {**counters.metrics, **totals},
                "checkpoint_best": str(best),
                "checkpoint_last": str(last),
            }
            self.tracking.value("quarantine", quarantine_report(self.context.run_folder))
            for name, checkpoint in {"best": best, "last": last}.items():
                self.tracking.file(checkpoint / "weights.safetensors", f"weights/{name}")
            self.tracking.flush()
            self.stages.ends("finish")
            result["seconds"] = self.stages.seconds
        if self.milestones.out_of_patience:
            self.context.say(
                f"ended early: {counters.without_gain} evaluations without a better {self.state.method.selected_by[0]} "
                f"(schedule.patience {self.experiment.schedule.patience})"
            )
        self.context.say(
            f"done: {self.state.step} steps, {counters.seen} samples seen, {counters.quarantined} unusable, "
            f"{counters.skipped} steps skipped"
        )
        return distributed.broadcast_json(result)
