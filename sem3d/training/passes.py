"""Visits to a whole data set between two steps, such as a pseudo-labelling cycle, for :class:`sem3d.methods.method.Passes`."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sem3d.datasets.stream import Samples
from sem3d.runs.device import tensors
from sem3d.runs.quarantine import Quarantine
from sem3d.training.context import TrainingContext
from sem3d.training.distributed import all_sum

PHASE = "labelling"


class PassesOfARun:
    """The passes of one run, on one process."""

    def __init__(self, context: TrainingContext, quarantine: Quarantine, items_at_once: int):
        self.context = context
        self.quarantine = quarantine
        self.items_at_once = items_at_once
        self.step = 0

    def batches(self, samples: Samples) -> Iterator[dict[str, Tensor]]:
        """Yield columns of this process's share of all rows, on its device; raises :class:`UserError` past the quarantine
        limit.
        """
        unusable = 0
        for streamed in self.context.stream_once(samples, batch_size=self.items_at_once, **self.context.share):
            self.quarantine.add(PHASE, self.step, streamed.failures)
            unusable += len(streamed.failures)
            yield tensors(streamed.columns, self.context.device)
        found = int(all_sum(torch.tensor(float(unusable))))
        self.quarantine.check(PHASE, found, samples.table.num_rows)

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        return all_sum(values)

    def tell(self, line: str, metrics: dict[str, float], tables: dict[str, Any]) -> None:
        """Tell a progress line, points of metrics at this step, and JSON files."""
        self.context.say(line)
        self.context.tracking.metrics(metrics, self.step)
        for name, content in tables.items():
            self.context.tracking.value(name, content)
