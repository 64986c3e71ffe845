"""The contract of a method: one trainable, in one file, registered by one line."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from sem3d.config import Experiment, OptimConfig
from sem3d.datasets.stream import Samples
from sem3d.methods.optimizers import build_optimizer


@runtime_checkable
class Passes(Protocol):
    """What a method may use between steps; every process makes the same calls."""

    def batches(self, samples: Samples) -> Iterator[dict[str, Tensor]]:
        """Columns of this process's share of one visit to every row, by Ray Data; unusable rows go to the quarantine."""

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes, float64 on the CPU."""

    def tell(self, line: str, metrics: dict[str, float], tables: dict[str, Any]) -> None:
        """A line for the user; metrics and JSON values by name for MLflow."""


class Method(nn.Module):
    """A network with its losses, its data and its optimisers.

    The training loop knows nothing else: it wraps the method for data parallelism, calls it with a batch and the step,
    sums the losses it returns, and steps the optimisers whose turn it is.
    """

    Config: ClassVar[type]
    """Frozen dataclass of the method's own settings; its defaults are the paper's."""
    Data: ClassVar[type]
    """Frozen dataclass that says which data and how they are prepared; its class variable ``generated`` names what stands in
    where a user has none (``rooms`` or ``shapes``) and ``counted`` what a label budget counts."""
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

    def between_steps(self, step: int, passes: Passes) -> None:
        """Work of every k-th step over a whole data set, such as a pseudo-labelling cycle; called on every process.

        What it finds must be the same on all and be part of ``state_dict()``.
        """

    def samples_now(self, samples: Samples) -> Samples:
        """The rows to learn from as of this step, given those of :meth:`training_samples`.

        Called before every step: another object than the time before makes the loop open its stream anew.
        """
        return samples
