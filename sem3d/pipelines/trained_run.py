"""A trained run, as evaluations and predictions take it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sem3d.config import NAMED_WEIGHTS, Experiment
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import Method, Sources
from sem3d.runs.checkpoint import weights_file, weights_source
from sem3d.runs.device import chosen_device
from sem3d.runs.load import build_method
from sem3d.runs.sources import open_sources
from sem3d.training.context import seed_everything


@dataclass(frozen=True)
class TrainedRun:
    """A run or checkpoint folder on this machine."""

    folder: Path
    method: str
    """Name in the register."""
    experiment: Experiment
    """The run's, with the changes that the user asks for."""

    @cached_property
    def weights(self) -> Path:
        """The verified weights file of its best checkpoint, or of the checkpoint that is named."""
        return weights_file(self.folder)

    @cached_property
    def sources(self) -> Sources:
        """The data of the experiment, opened once."""
        return open_sources(method_class(self.method), self.experiment)

    def build(self, source: str = "", *, with_data: bool = True) -> Method:
        """Build the method with the weights of ``source``, else its own, in eval; what is new is drawn as in training.

        Without data it is built as it is for predictions, where there may be none.
        """
        seed_everything(self.experiment.run.seed)
        sources = self.sources if with_data else None
        try:
            method, _ = build_method(method_class(self.method), self.experiment, sources)
        except UserError:
            raise
        except Exception as error:  # settings of a foreign checkpoint may be of the right types and make no network
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"the settings of {self.folder} make no {self.method}: {reason[:200]}") from error
        method.initialise(weights_source(source) if source else str(self.weights))
        return method.eval()

    def predictor(self) -> Method:
        """Build the method without data, on the device that ``run.device`` chooses."""
        return self.build(with_data=False).to(chosen_device(self.experiment.run.device))

    def started_from(self, named: str) -> str:
        """Return initial weights to compare with: those ``named`` by the command, else those of the run if they have a name.

        Raises :class:`UserError` for a path, which may be another machine's.
        """
        source = named or self.experiment.init
        if not named and source not in NAMED_WEIGHTS:
            raise UserError(f"{self.folder} started from {source}: name that, or what stands there now, with --init")
        return source


@dataclass(frozen=True)
class Table:
    """Rows for people; a row maps column names to cells."""

    rows: list[dict[str, Any]]
    columns: list[str]
    digits: int = 2


@dataclass(frozen=True)
class Outcome:
    """Result of an evaluation or a prediction, for the user."""

    tables: list[Table] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    pictures: dict[str, UInt8[np.ndarray, "height width 3"]] = field(default_factory=dict)
    """By file name without its ending; kept in the folder ``figures`` of the run."""
    pages: dict[str, str] = field(default_factory=dict)
    """HTML, by file name without its ending; kept there too."""


Program = Callable[[TrainedRun, Any], Outcome]
"""An evaluation or a prediction: of a run, with options of a dataclass that its annotation names."""
