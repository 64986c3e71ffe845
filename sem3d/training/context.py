"""Surroundings of a training loop: folder, device, tracker, streams, randomness."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from sem3d.config import Experiment
from sem3d.datasets.stream import StreamedBatch, stream_batches, stream_once
from sem3d.runs.progress import log_line
from sem3d.tracking.null_tracker import NullTracker
from sem3d.tracking.tracker import Tracker
from sem3d.training import distributed


@dataclass(frozen=True)
class TrainingContext:
    """One process of a run; the defaults suit a plain process without Ray Train and MLflow."""

    run_folder: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tracking: Tracker = field(default_factory=NullTracker)
    launched: float = field(default_factory=time.time)
    """When the run was asked for, in seconds since 1970."""
    reclaimed: Callable[[], float | None] = lambda: None
    """When a node of the run will be taken away, in seconds since 1970: infinity if that is unknown, ``None`` if no node is."""
    report: Callable[[dict[str, float]], None] = lambda _: None
    stream_batches: Callable[..., Iterator[StreamedBatch]] = stream_batches
    stream_once: Callable[..., Iterator[StreamedBatch]] = stream_once

    @property
    def share(self) -> dict[str, int]:
        """Which share of each batch is this process's, as the streams want it."""
        return {"rank": distributed.rank(), "world_size": distributed.world_size()}

    def items_at_once(self, experiment: Experiment) -> int:
        """Return how many items this process evaluates at a time: as many as it trains on, unless told otherwise.

        So evaluations fit where training does.
        """
        trained_on = experiment.run.batch_size // (experiment.optim.accumulate * distributed.world_size())
        return experiment.run.evaluation_batch_size or max(1, trained_on)

    @property
    def leads(self) -> bool:
        """Whether this is process 0, which writes and speaks for all."""
        return distributed.rank() == 0

    def say(self, line: str) -> None:
        """Add a line to what the user sees; once, whatever the number of processes."""
        if self.leads:
            log_line(self.run_folder, line)


def seed_everything(*parts: int) -> None:
    """Seed Python, NumPy and torch from a tuple of integers.

    The loop does so at every step from (seed, step, process): a run that resumes at a step then draws what it would have
    drawn, whatever happened before.
    """
    first, second = (int(word) for word in np.random.SeedSequence(parts).generate_state(2, np.uint32))
    torch.manual_seed(first << 20 ^ second)
    random.seed(second)
    np.random.seed(second)
