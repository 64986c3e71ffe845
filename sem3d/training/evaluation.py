"""Evaluation of a method: every held-out sample once, on any number of processes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem3d.datasets.stream import Samples, StreamedBatch
from sem3d.methods.method import Found, Method, Record
from sem3d.runs.quarantine import Quarantine
from sem3d.training.distributed import all_sum, all_sum_by_name, broadcast_json, rank, world_size
from sem3d.training.records import gather_records


@dataclass(frozen=True)
class Evaluation:
    """Results of an evaluation; artifacts and figures only on process 0."""

    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, np.ndarray] = field(default_factory=dict)


def evaluate(
    method: Method,
    samples: Samples,
    batches: Iterator[StreamedBatch],
    to_batch: Callable[[dict[str, np.ndarray]], Any],
    quarantine: Quarantine,
    step: int,
    show: Callable[[Any], dict[str, np.ndarray]] = lambda _: {},
) -> Evaluation:
    """Sum ``method.evaluate`` over ``batches`` and over all processes, and gather its records on process 0.

    ``show`` makes pictures of this process's first batch. A table without rows gives an empty evaluation. Raises
    :class:`UserError` past the quarantine limit.
    """
    if samples.table.num_rows == 0:
        return Evaluation()
    sums: dict[str, Tensor] = {}
    records: list[tuple[int, Record]] = []
    figures: dict[str, np.ndarray] | None = None
    unusable = 0
    was_training = method.training
    method.eval()
    with torch.no_grad():
        for streamed in batches:
            quarantine.add("evaluation", step, streamed.failures)
            unusable += len(streamed.failures)
            batch = to_batch(streamed.columns)
            figures = show(batch) if figures is None else figures
            found = method.evaluate(batch)
            records += [(streamed.step * world_size() + rank(), record) for record in found.records]
            for name, value in found.sums.items():
                value = value.detach().to("cpu", torch.float64)
                sums[name] = sums[name] + value if name in sums else value
    method.train(was_training)
    quarantine.check("evaluation", int(all_sum(torch.tensor(float(unusable)))), samples.table.num_rows)
    whole = Found(all_sum_by_name(sums), gather_records(records))
    metrics, artifacts = {}, {}
    if rank() == 0:
        metrics = {name: float(value) for name, value in method.summarise(whole).items()}
        artifacts = method.artifacts(whole)
    return Evaluation(broadcast_json(metrics), artifacts, figures or {})


def better(value: float, best: float | None, direction: str) -> bool:
    """Return whether ``value`` beats ``best``; a value that is not a number never does."""
    if value != value:
        return False
    return best is None or (value > best if direction == "max" else value < best)
