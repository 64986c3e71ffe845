"""A method of a few weights for tests of the training room: linear regression with every trouble one can ask for."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from sem3d.bounds import Bounds
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.stream import Samples, StreamedBatch, load_batch
from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TRAIN, Found, Method
from sem3d.methods.optimizers import build_optimizer
from sem3d.networks.batch_norm import GlobalBatchNorm
from tests.training.toy_samples import toy_samples

StepOrNever = Annotated[int, Bounds(-1)]


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    batch_norm: bool = False
    noise: float = 0.0
    alternate: bool = False
    nonfinite_steps: tuple[int, ...] = ()
    kill_step: StepOrNever = -1
    kill_rank: int = 0
    kill_marker: str = ""
    pause: float = 0.0
    pause_alone: float = 0.0
    hold: str = ""
    """A file; while it is there, no step from ``hold_step`` on is begun."""
    hold_step: int = 0
    user_error_step: StepOrNever = -1
    user_error_rank: int = 0


@dataclass(frozen=True, kw_only=True)
class ToyData:
    rows: int = 32
    bad_rows: int = 0


@dataclass(frozen=True)
class ToyBatch:
    position: Tensor
    value: Tensor
    usable: Tensor


class ToyMethod(Method):
    Config = ToyConfig
    Data = ToyData
    Batch = ToyBatch
    presets = {}  # noqa: RUF012
    score = ("error", "min")

    def __init__(self, experiment: Experiment, sources=None):
        super().__init__(experiment)
        config = experiment.method
        self.body = nn.Linear(3, 4)
        self.norm = GlobalBatchNorm(4) if config.batch_norm else nn.Identity()
        self.head = nn.Linear(4, 1)

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        learnt_from = toy_samples(experiment.data.rows, experiment.data.bad_rows, seed=0)
        return {TRAIN: learnt_from, HELD_OUT: toy_samples(10, 0, seed=1)}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        return f"{source}: everything is new"

    def forward(self, batch: ToyBatch, step: int) -> dict[str, Tensor]:
        self._trouble(step)
        alone = not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1
        time.sleep(self.experiment.method.pause + alone * self.experiment.method.pause_alone)
        hidden = self.norm(self.body(batch.position))
        noise = self.experiment.method.noise * torch.randn_like(hidden)
        wrong = (self.head(torch.tanh(hidden + noise)) - batch.value).square() * batch.usable[:, None]
        fit = wrong.mean()
        if step in self.experiment.method.nonfinite_steps:
            fit = fit * float("nan")
        return {"fit": fit, "size": 0.001 * hidden.square().mean()}

    def _trouble(self, step: int) -> None:
        config, rank = self.experiment.method, 0
        if torch.distributed.is_initialized():
            rank = torch.distributed.get_rank()
        if (step, rank) == (config.user_error_step, config.user_error_rank):
            raise UserError("the toy is broken: fix it")
        if (step, rank) == (config.kill_step, config.kill_rank) and not Path(config.kill_marker).exists():
            Path(config.kill_marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while step >= config.hold_step and config.hold and Path(config.hold).exists():
            time.sleep(0.05)

    def evaluate(self, batch: ToyBatch) -> Found:
        wrong = (self.head(torch.tanh(self.norm(self.body(batch.position)))) - batch.value).square()
        return Found({"sum": wrong.sum().double(), "count": torch.tensor(float(len(wrong)), dtype=torch.float64)})

    def summarise(self, found: Found) -> dict[str, float]:
        sums = found.sums
        return {"error": float(sums["sum"] / sums["count"]), "evaluated": float(sums["count"])}

    def figures(self, batch: ToyBatch) -> dict[str, np.ndarray]:
        return {"grey": np.full((4, 6, 3), 128, np.uint8)}

    def artifacts(self, found: Found) -> dict[str, list[float]]:
        return {"sums": [float(value) for value in found.sums.values()]}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        config = self.experiment.optim
        if self.experiment.method.alternate:
            return {name: build_optimizer(getattr(self, name).parameters(), config) for name in ("body", "head")}
        return {"main": build_optimizer(self.parameters(), config)}

    def active_optimizers(self, step: int) -> tuple[str, ...] | None:
        return (("body", "head")[step % 2],) if self.experiment.method.alternate else None


def toy_experiment(
    storage: Path,
    *,
    optim: dict | None = None,
    schedule: dict | None = None,
    run: dict | None = None,
    method: dict | None = None,
    data: dict | None = None,
) -> Experiment:
    return Experiment(
        method=ToyConfig(**(method or {})),
        data=ToyData(**(data or {})),
        optim=OptimConfig(**{"lr": 0.05, **(optim or {})}),
        schedule=ScheduleConfig(**{"steps": 4, "decay": "constant", **(schedule or {})}),
        run=RunConfig(
            **{"storage": str(storage), "batch_size": 8, "log_every": 2, "checkpoint_every": 2, **(run or {})}
        ),
    )


def stream_in_process(samples, *, seed, batch_size, accumulate, rank, world_size, first_step, last_step):
    order, whole = samples.order(seed), batch_size // accumulate
    share = whole // world_size
    for number in range(first_step * accumulate, last_step * accumulate):
        start = number * whole + rank * share
        columns, failures = load_batch(samples, order, range(start, start + share))
        yield StreamedBatch(number // accumulate, columns, failures)


def stream_once_in_process(samples, *, batch_size, rank, world_size):
    rows, order = samples.table.num_rows, samples.order(None)
    for number, start in enumerate(range(rank * batch_size, rows, world_size * batch_size)):
        columns, failures = load_batch(samples, order, range(start, min(start + batch_size, rows)))
        yield StreamedBatch(number, columns, failures)
