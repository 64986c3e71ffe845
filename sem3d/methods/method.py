"""The contract of a method: one trainable, in one file or folder, registered by one line."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sem3d.config import Experiment
from sem3d.datasets.stream import Samples
from sem3d.methods.optimizers import build_optimizer

FROZEN = "probe_"
"""Beginning of the names of scores of frozen weights."""
FROZEN_EFFECT = "probe"
"""The effect of a pretraining that scores of frozen weights take the place of."""
Sources = Mapping[str, Samples]
"""What a method learns from and is evaluated on, by name, opened."""
TRAIN, HELD_OUT, TESTED = "train", "held_out", "tested"
"""The sources that the training loop streams by itself; what other sources are for, the method says."""
Record = dict[str, Any]
"""One item of an evaluation: NumPy arrays of any shape, numbers and text by name."""


@dataclass(frozen=True)
class Found:
    """Results of an evaluation, of one batch or of all."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    """Statistics that add up over batches and workers."""
    records: list[Record] = field(default_factory=list)
    """One for each item of the batch that can be used, in its order; those of all workers come together on process 0, each item
    once and in the order of the source."""


@dataclass(frozen=True)
class Marks:
    """Scores that say nothing of a method: what its own lie between on the same data; by key of :meth:`Method.summarise`."""

    floor: dict[str, float] = field(default_factory=dict)
    """Of the best answer that is the same for every input, learnt from the same labelled samples."""
    bound: dict[str, float] = field(default_factory=dict)
    """Of one that is right wherever the labelled samples can tell."""
    never_shown: tuple[str, ...] = ()
    """Held-out classes that no labelled sample shows."""
    basis: str = ""
    """Share of the samples that were looked at, where that is not all."""
    clear: float = 2.0
    """Times the floor that the best arm of a sweep must have for arms to be ranked at all."""


@dataclass(frozen=True)
class Effect:
    """Figures of a network before and after its training, by name."""

    before: dict[str, float]
    after: dict[str, float]
    basis: str = ""
    """Share of the samples that were looked at, where that is not all."""
    picture: UInt8[np.ndarray, "height width 3"] | None = None
    """Both networks on the same sample, one above the other."""


@runtime_checkable
class Passes(Protocol):
    """Visits to whole sources that a method may make between steps; every process makes the same calls."""

    def batches(self, samples: Samples) -> Iterator[dict[str, Tensor]]:
        """Yield columns of this process's share of one visit to every row, by Ray Data; unusable rows go to the quarantine."""
        ...

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, float64 on the CPU."""
        ...

    def tell(self, line: str, metrics: dict[str, float], tables: dict[str, Any]) -> None:
        """Say a line to the user, and store metrics and JSON values by name in MLflow."""


@runtime_checkable
class GivesFeatures(Protocol):
    """A method whose network gives dense features of a picture."""

    def image_features(self, image: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim row column"]:
        """Return features of an even grid of the image's pixels, not normalised."""
        ...


@runtime_checkable
class GivesLabels(Protocol):
    """A method whose network gives scores of classes for every pixel of a picture."""

    def pixel_scores(self, image: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch class height width"]:
        """Return class scores of every pixel; class 0 is none of the classes."""
        ...


@runtime_checkable
class GivesParts(Protocol):
    """A method whose network gives scores of parts for every pixel of a square picture of one object."""

    def part_scores(self, image: UInt8[Tensor, "batch 4 side side"]) -> Float[Tensor, "batch class side side"]:
        """Return class scores of every pixel of RGBA whose colours are not multiplied; class 0 is the background."""
        ...

    def part_names(self) -> tuple[str, ...]:
        """Return the names of the classes, background first, as far as they are known."""
        ...


@runtime_checkable
class GivesMeshes(Protocol):
    """A method whose network gives the mesh of the object in a picture."""

    def surfaces(
        self, image: UInt8[Tensor, "image 4 64 64"]
    ) -> tuple[Float[Tensor, "image vertex 3"], Int[Tensor, "face 3"]]:
        """Return vertices in the frame that the training data has for a class, and faces, right-handed, y up."""
        ...


@runtime_checkable
class GivesPointLabels(Protocol):
    """A method whose network gives scores of classes for every point of a scene."""

    def point_scores(self, batch: Any) -> Float[Tensor, "point class"]:
        """Return class scores of the points of a batch; class 0 is none of the classes."""
        ...


@runtime_checkable
class GivesBoxes(Protocol):
    """A method whose network gives boxes around the objects of a scene."""

    def answers(self, batch: Any, found: Any) -> Iterator[tuple[np.ndarray, np.ndarray, Record]]:
        """Yield of each item the voxels and their colours, and a record of its boxes and their scores."""
        ...


def scored(sources: Sources) -> Samples | None:
    """Return what a trained run is scored on."""
    return sources.get(TESTED) or sources.get(HELD_OUT)


class Method(nn.Module):
    """A network with its losses, its sources and its optimisers.

    The training loop knows nothing else: it wraps the method for data parallelism, calls it with a batch and the step,
    sums the losses it returns, and steps the active optimisers.
    """

    Config: ClassVar[type]
    """Frozen dataclass of the method's own settings; its defaults are the paper's."""
    Data: ClassVar[type]
    """Frozen dataclass of the data and their preparation; its class variable ``generated`` names the world that stands in
    where a user has none (:mod:`sem3d.worlds`), and ``counted``, where budgets are no shares, what each such field counts."""
    Batch: ClassVar[type]
    """Frozen dataclass of tensors; ``Batch(**columns)`` takes what ``Samples.collate`` made."""
    presets: ClassVar[dict[str, Callable[[], Experiment]]]
    """Experiments by name: ``paper`` and ``released``, and whatever else is worth naming."""
    score: ClassVar[tuple[str, str]]
    """Key of :meth:`summarise` that says how good a run is, and "max" or "min"."""
    label_budget: ClassVar[str] = ""
    """Leaf of the label budget, where there is one."""
    handed_on: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the leaves that a checkpoint of initial weights decides, so that its weights fit."""
    identified_by: ClassVar[tuple[str, ...]] = ()
    """Sources whose content identifies what a run learns from; empty: all."""
    compiled: ClassVar[tuple[str, ...]] = ()
    """Parts whose shapes do not change from batch to batch, which ``run.compiler`` may compile."""
    evaluations: ClassVar[dict[str, str]] = {}
    """Evaluations of a trained run beside ``scores``, by name, as ``module:function``; the first is the usual one."""
    prediction: ClassVar[str] = ""
    """Prediction from one file of the user's, as ``module:function``."""
    unpredicted: ClassVar[str] = ""
    """Why there is no prediction from one file, and what there is instead, where that is so."""
    published: ClassVar[str] = ""
    """Published table of the method's paper, as ``module:function``."""
    marks: ClassVar[str] = ""
    """The :class:`Marks` of an experiment and its opened sources, as ``module:function``."""
    effects: ClassVar[dict[str, str]] = {}
    """Each :class:`Effect` of training, by name, as ``module:function`` of the trained run and the weights it started from."""
    frozen_scores: ClassVar[str] = ""
    """Scores of the weights that a run starts from, which stay as they are, under its label budget, as ``module:function`` of
    that run; a sweep that fine-tunes nothing compares them. Their names are those of :meth:`summarise` after ``FROZEN``."""

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        """Build the network; ``sources`` are there for networks whose size follows from the data, such as latents."""
        super().__init__()
        self.experiment = experiment

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        """Open the data: ``train`` to learn from under the label budget, ``held_out`` to evaluate on, others by their names.

        Called once a run, by the driver; every process is given what it returns. A ``held_out`` table without rows, or none,
        means that there is nothing to evaluate. Where there is ``tested``, ``held_out`` only chooses the best checkpoint, and
        that one is scored on ``tested`` when the run ends.
        """
        raise NotImplementedError

    @classmethod
    def curriculum(cls, experiment: Experiment) -> tuple[Experiment, ...]:
        """Return the experiments that are run one after the other, each from the last checkpoint of the one before."""
        return (experiment,)

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Load initial weights, strictly, but for the parts in ``without``; return a line on what is loaded and new."""
        raise NotImplementedError

    def forward(self, batch: Any, step: int) -> dict[str, Tensor]:
        """Return weighted losses by name; each is a mean over the items of the batch and keeps the graph without a match."""
        raise NotImplementedError

    def evaluate(self, batch: Any) -> Found:
        """Return the statistics of the batch, and a record of each of its items where statistics do not do."""
        raise NotImplementedError

    def summarise(self, found: Found) -> dict[str, float]:
        """Return the metrics of a whole evaluation; called on process 0."""
        raise NotImplementedError

    def figures(self, batch: Any) -> dict[str, np.ndarray]:
        """Return pictures of this batch by name, uint8 (height, width, 3)."""
        return {}

    def artifacts(self, found: Found) -> dict[str, Any]:
        """Return JSON values by name that belong to an evaluation and are too long for metrics."""
        return {}

    def exports(self, batch: Any, folder: Path) -> None:
        """Write files of this evaluation's first batch (PLY, GLB, HTML, MP4, PNG, ...) into ``folder``."""

    def final_exports(self, sources: Sources, folder: Path) -> None:
        """Write files of the whole run, once it has ended, into ``folder``."""

    @property
    def selected_by(self) -> tuple[str, str]:
        """Return the key of :meth:`summarise` that decides this run's best checkpoint, and "max" or "min": ``score``, unless its
        settings make another one tell more.
        """
        return self.score

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return optimisers by name; together they hold every trainable parameter once."""
        trainable = [value for value in self.parameters() if value.requires_grad]
        return {"main": build_optimizer(trainable, self.experiment.optim)}

    def active_optimizers(self, step: int) -> tuple[str, ...] | None:
        """Return the names of the optimisers that step now; ``None``: all."""
        return None

    def between_steps(self, step: int, sources: Sources, passes: Passes) -> None:
        """Do the work of every k-th step over a whole source, such as a pseudo-labelling cycle; called on every process.

        Its findings must be the same on all and be part of ``state_dict()``.
        """

    def tally(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return counts over this process's share of a training batch, always of the same names; the run adds them up."""
        return {}

    def weigh(self, counts: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """Return metrics of all that was counted so far, and a warning where that says that something is wrong, or nothing."""
        return {}, ""

    def training_samples(self, step: int, sources: Sources) -> Samples:
        """Return the rows to learn from at this step.

        Called before every step: another object than the time before makes the loop open its stream anew.
        """
        return sources[TRAIN]
