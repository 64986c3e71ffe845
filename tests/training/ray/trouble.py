"""The runs that meet trouble on a cluster of nodes: what they learn, and what their progress must say afterwards."""

from pathlib import Path
from typing import Any

from sem3d.config import Experiment
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from tests.training.toy_method import ToyMethod, stream_in_process, stream_once_in_process, toy_experiment

STEPS, TROUBLE, CHECKPOINTS = 28, 12, 5
"""Steps of a run, the step after which trouble comes, and the steps between two checkpoints."""


def experiment_in_trouble(
    storage: Path, name: str, run: dict[str, Any] | None = None, method: dict[str, Any] | None = None
) -> Experiment:
    """Two workers of two CPUs each, so that on nodes of two CPUs each has one of its own."""
    two = {"workers": 2, "cpus_per_worker": 2.0, "log_every": 1, "checkpoint_every": CHECKPOINTS}
    return toy_experiment(
        storage,
        schedule={"steps": STEPS},
        method={"noise": 0.0, **(method or {})},
        run={"name": name, **two, **(run or {})},
    )


def learn_without_ray(rank: int, folder: Path, experiment: Experiment) -> str:
    """One of two processes of the run; returns the path of the weights."""
    streams = {"stream_batches": stream_in_process, "stream_once": stream_once_in_process}
    outcome = fit(ToyMethod, experiment, TrainingContext(run_folder=folder, **streams))
    return str(Path(outcome["checkpoint_last"]) / "weights.safetensors")


def resumed_from(facts: dict) -> list[int]:
    starts = [line for line in facts["lines"] if line.startswith("resuming from step")]
    return [int(line.split()[3].rstrip(":")) for line in starts]


def steps_said(facts: dict) -> list[int]:
    return [int(line.split()[1].partition("/")[0]) for line in facts["lines"] if line.startswith("step ")]


def groups(facts: dict) -> list[str]:
    return [line for line in facts["lines"] if line.startswith("workers: ")]


def assert_it_went_on_and_ended_the_same(facts: dict, undisturbed: Path) -> None:
    """The trouble came in the middle: steps before it, steps again from the checkpoint, and the last one once."""
    assert facts["steps"] == STEPS
    resumed = resumed_from(facts)
    assert resumed
    assert all(0 < step < STEPS for step in resumed)
    said = steps_said(facts)
    assert set(said) == set(range(1, STEPS + 1))
    assert said.count(STEPS) == 1
    assert Path(facts["weights"]).read_bytes() == undisturbed.read_bytes()
