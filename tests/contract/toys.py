"""Toy methods, one for each clause of the contract; all learn a linear map of a few numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from sem3d.config import Experiment, OptimConfig, OptimizerConfig, RunConfig, ScheduleConfig, Weights, override
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.methods.frozen import FrozenPart
from sem3d.methods.initial_parts import load_parts, read_safetensors
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Found, Method, Passes, Sources
from sem3d.methods.optimizers import build_optimizer

OBJECTS = 5


@dataclass(frozen=True, kw_only=True)
class NumbersConfig:
    """Settings of all toys."""

    width: int = 3
    latents: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(kind="sparse_adam", lr=0.05))
    """Optimiser of latents."""
    teacher: Weights = ""
    """Weights of a frozen teacher."""
    stages: tuple[int, ...] = ()
    """Widths of a curriculum's batches."""
    flat: bool = False
    """Whether the score never gets better."""


@dataclass(frozen=True, kw_only=True)
class NumbersData:
    """Rows of two data sets."""

    rows: int = 24
    bad_rows: int = 0
    others: int = 10


@dataclass(frozen=True)
class NumbersBatch:
    """Positions and their values; the object each belongs to."""

    position: Tensor
    value: Tensor
    object: Tensor
    usable: Tensor


def load_row(row: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if row["bad"]:
        raise BadSample(f"row {row['number']}", "is bad")
    return {
        "position": np.array(row["position"], np.float64),
        "value": np.array([row["value"]], np.float64),
        "object": np.array(row["number"] % OBJECTS),
        "usable": np.array(True),
    }


def collate_rows(loaded: list) -> dict[str, np.ndarray]:
    empty = {
        "position": np.zeros(3, np.float64),
        "value": np.zeros(1, np.float64),
        "object": np.array(0),
        "usable": np.array(False),
    }
    return {name: np.stack([(item or empty)[name] for item in loaded]) for name in empty}


def numbers(rows: int, bad_rows: int, seed: int) -> Samples:
    positions = np.random.default_rng(seed).normal(size=(rows, 3))
    table = pa.table(
        {
            "number": pa.array(range(rows)),
            "position": pa.array(positions.tolist(), pa.list_(pa.float64())),
            "value": pa.array(positions @ np.array([1.0, -2.0, 0.5]) + 0.3),
            "bad": pa.array([number < bad_rows for number in range(rows)]),
        }
    )
    return Samples(table, load_row, collate_rows, f"numbers-{rows}-{bad_rows}-{seed}")


class Numbers(Method):
    """The plain toy: one linear layer."""

    Config, Data, Batch = NumbersConfig, NumbersData, NumbersBatch
    presets = {}  # noqa: RUF012
    score = ("error", "min")

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.body = nn.Linear(3, 1)

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        data = experiment.data
        return {
            TRAIN: numbers(data.rows, data.bad_rows, seed=0),
            HELD_OUT: numbers(11, 0, seed=1),
            "others": numbers(data.others, 0, seed=2),
        }

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        if source.endswith(".safetensors"):
            return load_parts(self, read_safetensors(Path(source)), source, without)
        return f"{source}: everything is new"

    def predicted(self, batch: NumbersBatch) -> Tensor:
        return self.body(batch.position)

    def forward(self, batch: NumbersBatch, step: int) -> dict[str, Tensor]:
        wrong = (self.predicted(batch) - batch.value).square() * batch.usable[:, None]
        return {"fit": wrong.mean()}

    def evaluate(self, batch: NumbersBatch) -> Found:
        wrong = (self.predicted(batch) - batch.value).square()[batch.usable]
        return Found({"sum": wrong.sum().double(), "count": torch.tensor(float(len(wrong)), dtype=torch.float64)})

    def summarise(self, found: Found) -> dict[str, float]:
        error = float(found.sums["sum"] / found.sums["count"])
        return {"error": 1.0 if self.experiment.method.flat else error}


class WithRecords(Numbers):
    """Evaluation of records: ragged arrays, a number and a text of each item."""

    def evaluate(self, batch: NumbersBatch) -> Found:
        found = super().evaluate(batch)
        values = [round(float(value), 5) for value in batch.value[batch.usable]]
        records = [
            {"value": value, "name": f"item {value}", "many": np.full((int(owner), 2), value)}
            for value, owner in zip(values, batch.object[batch.usable], strict=True)
        ]
        return Found(found.sums, records)

    def summarise(self, found: Found) -> dict[str, float]:
        everything = np.concatenate([record["many"] for record in found.records])
        median = float(np.median([record["value"] for record in found.records]))
        return super().summarise(found) | {
            "records": float(len(found.records)),
            "median": median,
            "ragged": float(everything.sum()),
        }

    def artifacts(self, found: Found) -> dict[str, list[str]]:
        return {"names": [record["name"] for record in found.records]}


class WithLatents(Numbers):
    """State per object: a latent each, by a sparse optimiser beside that of the network."""

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        objects = (
            OBJECTS if sources is None else len({row % OBJECTS for row in sources[TRAIN].table["number"].to_pylist()})
        )
        self.latents = nn.Embedding(objects, 3, sparse=True)

    def predicted(self, batch: NumbersBatch) -> Tensor:
        return self.body(batch.position + 0.1 * self.latents(batch.object % self.latents.num_embeddings))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "network": build_optimizer(self.body.parameters(), self.experiment.optim),
            "latents": build_optimizer(self.latents.parameters(), self.experiment.method.latents),
        }


class Alternating(WithLatents):
    """Networks and latents step by turns, as a generator and a critic do; each has a loss of its own."""

    def active_optimizers(self, step: int) -> tuple[str, ...]:
        return ("network", "latents")[step % 2 : step % 2 + 1]

    def forward(self, batch: NumbersBatch, step: int) -> dict[str, Tensor]:
        name = "generator" if step % 2 == 0 else "critic"
        return {name: super().forward(batch, step)["fit"]}


class WithTeacher(Numbers):
    """A frozen teacher with BatchNorm, whose answers are learnt."""

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        teacher = nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1))
        self.teacher = FrozenPart(teacher, experiment.method.teacher, load_teacher)

    def forward(self, batch: NumbersBatch, step: int) -> dict[str, Tensor]:
        taught = (self.predicted(batch) - self.teacher(batch.position)).square() * batch.usable[:, None]
        return {"taught": taught.mean()}


def load_teacher(network: nn.Module, source: str) -> str:
    network.load_state_dict(read_safetensors(Path(source)))
    return f"teacher from {Path(source).name}"


class WithExports(Numbers):
    """Files of an evaluation and of the whole run."""

    def exports(self, batch: NumbersBatch, folder: Path) -> None:
        (folder / "clouds").mkdir()
        (folder / "clouds" / "first.ply").write_text(f"ply of {len(batch.value)}\n")

    def final_exports(self, sources: Sources, folder: Path) -> None:
        (folder / "summary.html").write_text(f"<p>{sources['others'].table.num_rows} others</p>\n")


class WithPasses(Numbers):
    """Work over a further source every other step; what it finds moves the rows that are learnt from."""

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.register_buffer("mean_of_others", torch.zeros((), dtype=torch.float64))

    def between_steps(self, step: int, sources: Sources, passes: Passes) -> None:
        if step % 2 == 0:
            total = torch.zeros(2, dtype=torch.float64)
            for columns in passes.batches(sources["others"]):
                total += torch.tensor([float(columns["value"].double().sum()), float(len(columns["value"]))])
            value, count = passes.total(total)
            self.mean_of_others.fill_(value / count)
            passes.tell(f"others at step {step}: {int(count)}", {"others": float(count)}, {})

    def training_samples(self, step: int, sources: Sources) -> Samples:
        return sources[TRAIN] if step < 2 else sources["others"]


class WithTest(Numbers):
    """One data set chooses the best checkpoint, another scores it."""

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        return super().sources(experiment) | {TESTED: numbers(13, 0, seed=3)}


class WithTally(Numbers):
    """Counts of the training batches, and a warning of them."""

    def tally(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {"rows": float(len(columns["usable"])), "negative": float((columns["value"] < 0).sum())}

    def weigh(self, counts: Mapping[str, float]) -> tuple[dict[str, float], str]:
        share = counts["negative"] / counts["rows"]
        return {"negative": share}, f"{counts['negative']:g} of {counts['rows']:g} values are negative" if share else ""


class WithCurriculum(Numbers):
    """Small batches first, then larger ones."""

    @classmethod
    def curriculum(cls, experiment: Experiment) -> tuple[Experiment, ...]:
        sizes = experiment.method.stages
        return tuple(override(experiment, {"method.stages": (), "run.batch_size": size}) for size in sizes) or (
            experiment,
        )


TOYS = (Numbers, WithRecords, WithLatents, Alternating, WithExports, WithPasses, WithTest, WithTally)
"""Those that need nothing but numbers."""


def numbers_experiment(storage: Path, **changes: object) -> Experiment:
    """An experiment of four steps; ``changes`` are leaves with ``__`` for the dot."""
    start = Experiment(
        method=NumbersConfig(),
        data=NumbersData(),
        optim=OptimConfig(lr=0.05),
        schedule=ScheduleConfig(steps=4, decay="constant"),
        run=RunConfig(storage=str(storage), batch_size=8, log_every=1, checkpoint_every=2, precision="float64"),
    )
    return override(start, {leaf.replace("__", "."): value for leaf, value in changes.items()})
