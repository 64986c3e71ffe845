"""A method whose numbers lie in a file: what somebody who adds a sixth method writes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import torch
import tyro
from torch import Tensor, nn

from sem3d.config import (
    DataFolder,
    Experiment,
    FilePath,
    OptimConfig,
    RunConfig,
    ScheduleConfig,
    StorageFolder,
    StoreAddress,
)
from sem3d.datasets.stream import Samples
from sem3d.methods.initial_parts import load_parts, read_safetensors
from sem3d.methods.method import HELD_OUT, TRAIN, Found, Method, Sources


@dataclass(frozen=True, kw_only=True)
class SixthConfig:
    """Settings of the line."""

    bias: bool = True
    """Whether the line has an offset."""


@dataclass(frozen=True, kw_only=True)
class SixthData:
    """A folder with ``numbers.json``: pairs of numbers."""

    generated: ClassVar = "shapes"
    root: DataFolder = ""
    """Folder of the numbers."""
    share: float = 1.0
    """Share of the pairs that is learnt from."""


@dataclass(frozen=True)
class SixthBatch:
    """Pairs of numbers."""

    x: Tensor
    y: Tensor


def load(row: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return one pair."""
    return {"x": np.array([row["x"]], np.float32), "y": np.array([row["y"]], np.float32)}


def collate(loaded: list[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
    """Stack pairs."""
    nothing = np.zeros(1, np.float32)
    return {name: np.stack([nothing if item is None else item[name] for item in loaded]) for name in ("x", "y")}


def laptop() -> Experiment:
    """Return a setting for seconds."""
    return Experiment(
        method=SixthConfig(),
        data=SixthData(),
        optim=OptimConfig(lr=0.1),
        schedule=ScheduleConfig(steps=4, decay="constant"),
        run=RunConfig(batch_size=4, workers=0, checkpoint_every=2),
    )


@dataclass(frozen=True, kw_only=True)
class SixthPrediction:
    """The number to predict from."""

    image: FilePath
    """File of one number."""
    out: FilePath
    """File of the answer."""
    run: str = ""
    """Run folder or registered model."""
    storage: StorageFolder = "runs"
    """Folder of the default MLflow store."""
    tracking_uri: StoreAddress = ""
    """MLflow store."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """Device to predict on."""


def predict(run: Any, options: SixthPrediction) -> Any:
    """Answer with the line's value at a number."""
    from sem3d.pipelines.trained_run import Outcome

    method = run.build(with_data=False)
    answer = float(method.line(torch.tensor([[float(Path(options.image).read_text())]])))
    Path(options.out).write_text(f"{answer}\n")
    return Outcome(lines=[f"answer     {answer:.3f}"])


class Sixth(Method):
    """A line through pairs of numbers."""

    Config, Data, Batch = SixthConfig, SixthData, SixthBatch
    presets: ClassVar = {"paper": laptop, "released": laptop, "laptop": laptop}
    score = ("error", "min")
    label_budget = "data.share"
    prediction = "sem3d.methods.sixth:predict"

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.line = nn.Linear(1, 1, bias=experiment.method.bias)

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        """Open the numbers."""
        pairs = json.loads((Path(experiment.data.root) / "numbers.json").read_text())
        count = max(1, round(experiment.data.share * (len(pairs) - 4)))
        tables = {TRAIN: pairs[4 : 4 + count], HELD_OUT: pairs[:4]}
        return {name: Samples(pa.Table.from_pylist(rows), load, collate, f"{rows}") for name, rows in tables.items()}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Load a line, or begin with a new one."""
        if source.endswith(".safetensors"):
            return load_parts(self, read_safetensors(Path(source)), source, without)
        return "a new line"

    def forward(self, batch: SixthBatch, step: int) -> dict[str, Tensor]:
        """Return the squared error."""
        return {"fit": (self.line(batch.x) - batch.y).square().mean()}

    def evaluate(self, batch: SixthBatch) -> Found:
        """Return squared errors and their number."""
        wrong = (self.line(batch.x) - batch.y).square()
        return Found({"sum": wrong.sum().double(), "count": torch.tensor(float(len(wrong)))})

    def summarise(self, found: Found) -> dict[str, float]:
        """Return the mean squared error."""
        return {"error": float(found.sums["sum"] / found.sums["count"])}
