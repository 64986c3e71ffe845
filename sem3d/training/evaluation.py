"""Evaluation of a method in training: every held-out sample once, statistics added over all workers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem3d.datasets.stream import Samples, StreamedBatch
from sem3d.methods.method import Method
from sem3d.runs.quarantine import Quarantine
from sem3d.training.distributed import all_sum, all_sum_by_name


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; figures only on process 0."""

    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, np.ndarray] = field(default_factory=dict)


def evaluate(
    method: Method,
    samples: Samples,
    batches: Iterator[StreamedBatch],
    to_batch: Callable[[dict[str, Tensor]], Any],
    quarantine: Quarantine,
    step: int,
    draw: bool,
) -> Evaluation:
    """Sums ``method.evaluate`` over ``batches`` and over all processes; ``draw`` makes figures of the first batch.

    A table without rows gives an empty evaluation. Raises :class:`UserError` past the quarantine limit.
    """
    if samples.table.num_rows == 0:
        return Evaluation()
    sums: dict[str, Tensor] = {}
    figures: dict[str, np.ndarray] = {}
    unusable = 0
    was_training = method.training
    method.eval()
    with torch.no_grad():
        for streamed in batches:
            quarantine.add("evaluation", step, streamed.failures)
            unusable += len(streamed.failures)
            batch = to_batch(streamed.columns)
            if draw and not figures:
                figures = method.figures(batch)
            for name, value in method.evaluate(batch).items():
                value = value.detach().to("cpu", torch.float64)
                sums[name] = sums[name] + value if name in sums else value
    method.train(was_training)
    quarantine.check("evaluation", int(all_sum(torch.tensor(float(unusable)))), samples.table.num_rows)
    sums = all_sum_by_name(sums)
    metrics = {name: float(value) for name, value in method.summarise(sums).items()}
    return Evaluation(metrics, method.artifacts(sums), figures)


def better(value: float, best: float | None, direction: str) -> bool:
    """Whether ``value`` beats ``best``; a value that is not a number never does."""
    if value != value:
        return False
    return best is None or (value > best if direction == "max" else value < best)
