"""The contract of a method: one trainable, in one file, registered by one line."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sem3d.config import Experiment, OptimConfig
from sem3d.datasets.stream import Samples
from sem3d.methods.optimizers import build_optimizer


class Method(nn.Module):
    """A network with its losses, its data and its optimisers.

    The training loop knows nothing else: it wraps the method for data parallelism, calls it with a batch and the step,
    sums the losses it returns, and steps the optimisers whose turn it is.
    """

    Config: ClassVar[type]
    """Frozen dataclass of the method's own settings; its defaults are the paper's."""
    Data: ClassVar[type]
    """Frozen dataclass that says which data and how they are prepared."""
    Batch: ClassVar[type]
    """Frozen dataclass of tensors; ``Batch(**columns)`` takes what ``Samples.collate`` made."""
    presets: ClassVar[dict[str, Callable[[], Experiment]]]
    """Experiments by name: ``paper`` and ``released``, and whatever else is worth naming."""
    score: ClassVar[tuple[str, str]]
    """Key of :meth:`summarise` that decides the best checkpoint, and "max" or "min"."""

    def __init__(self, experiment: Experiment):
        super().__init__()
        self.experiment = experiment

    @classmethod
    def training_samples(cls, experiment: Experiment) -> Samples:
        """Rows to learn from, under the experiment's label budget."""
        raise NotImplementedError

    @classmethod
    def evaluation_samples(cls, experiment: Experiment) -> Samples:
        """Held-out rows, each visited once; augmentation is off. An empty table means there is nothing to evaluate."""
        raise NotImplementedError

    def initialise(self, source: str) -> str:
        """Loads initial weights, strictly, and says on one line what is loaded and what is new."""
        raise NotImplementedError

    def forward(self, batch: Any, step: int) -> dict[str, Tensor]:
        """Weighted loss by name; each is a mean over the items of the batch and keeps the graph when there is no match."""
        raise NotImplementedError

    def evaluate(self, batch: Any) -> dict[str, Tensor]:
        """Statistics of the batch that add up over batches and workers, float64."""
        raise NotImplementedError

    def summarise(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Metrics from the added-up statistics."""
        raise NotImplementedError

    def figures(self, batch: Any) -> dict[str, np.ndarray]:
        """Pictures of this batch by name, uint8 (height, width, 3)."""
        return {}

    def artifacts(self, sums: dict[str, Tensor]) -> dict[str, Any]:
        """JSON values by name that belong to an evaluation and are too long for metrics."""
        return {}

    def optimizers(self, config: OptimConfig) -> dict[str, torch.optim.Optimizer]:
        """Optimisers by name; together they hold every trainable parameter once. One for all unless a method has several."""
        return {"main": build_optimizer([value for value in self.parameters() if value.requires_grad], config)}

    def turn(self, step: int) -> tuple[str, ...]:
        """Names of the optimisers that step now; all of them unless a method alternates."""
        return tuple(self.optimizer_names)

    optimizer_names: tuple[str, ...] = ("main",)

    def between_steps(self, step: int) -> None:
        """Work of every k-th step over a whole data set, such as a pseudo-labelling cycle; called on every rank."""
