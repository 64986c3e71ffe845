"""The main job on generated rooms: does pretraining without labels help where labels are few?

Renders rooms, pretrains Pri3D on their frame pairs, fine-tunes segmentation at each label budget from the starting point
and from the pretrained weights, and prints what pretraining brought. Every arm at one budget and seed sees the same
labelled frames. Re-running resumes: finished parts are not repeated.

``python -m jobs.quickstart --seeds 3 --inits scratch imagenet`` is the experiment behind the table in the README.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from jobs import command_line
from jobs.exits import run
from jobs.generated_rooms import make_rooms, rooms_folder, small_rooms
from jobs.places import storage_place
from sem3d.config import Experiment, digest, override
from sem3d.datasets.synthetic.rooms_config import RoomsConfig
from sem3d.errors import UserError
from sem3d.evaluation.intervals import interval, paired_difference
from sem3d.evaluation.tables import format_table
from sem3d.methods.pri3d import laptop as pretraining
from sem3d.methods.semantic_segmentation_2d import laptop as fine_tuning
from sem3d.training.launch import connect, train


@dataclass(frozen=True, kw_only=True)
class Quickstart:
    """Sizes of the experiment; the defaults take some minutes on two cores."""

    storage: str = "runs"
    """Folder for rooms, indexes, runs and the MLflow store."""
    rooms: RoomsConfig = field(default_factory=small_rooms)
    """The generated rooms."""
    seeds: int = 1
    """Seeds 0, 1, ...: initial weights, order of samples and the choice of labelled frames."""
    inits: tuple[str, ...] = ("scratch",)
    """Starting points to compare with and without pretraining: scratch, imagenet."""
    budgets: tuple[float, ...] = (0.2, 1.0)
    """Shares of the training rooms whose labels are used."""
    losses: str = "view+geo"
    """Losses of pretraining: view, geo or view+geo."""
    pretraining_steps: int = 120
    """Optimiser steps of pretraining."""
    fine_tuning_steps: int = 80
    """Optimiser steps of each fine-tuning, the same at every budget."""


def pretraining_experiment(config: Quickstart, rooms: Path, init: str, seed: int) -> Experiment:
    """Pri3D on the frame pairs of the rooms."""
    return override(
        pretraining(),
        {
            "method.losses": config.losses,
            "data.root": str(rooms),
            "data.prepare.stride": 1,
            "schedule.steps": config.pretraining_steps,
            "run.storage": str(storage_place(config.storage, "storage")),
            "run.seed": seed,
            "init": init,
        },
    )


def fine_tuning_experiment(config: Quickstart, rooms: Path, init: str, budget: float, seed: int) -> Experiment:
    """Segmentation of the labelled frames within a budget."""
    return override(
        fine_tuning(),
        {
            "data.root": str(rooms),
            "data.prepare.stride": 1,
            "data.budget": budget,
            "data.budget_unit": "scene",
            "data.budget_seed": seed,
            "schedule.steps": config.fine_tuning_steps,
            "run.storage": str(storage_place(config.storage, "storage")),
            "run.seed": seed,
            "init": init,
        },
    )


def measure(config: Quickstart, rooms: Path) -> list[dict]:
    """Mean IoU of every arm: one record a seed, starting point, budget, with and without pretraining."""
    records = []
    for seed in range(config.seeds):
        for init in config.inits:
            print(f"\n== seed {seed}: pretraining from {init} ==", flush=True)
            pretrained = train("pri3d", pretraining_experiment(config, rooms, init, seed))
            arms = {"without": init, "with": str(pretrained.checkpoint_last)}
            for budget in config.budgets:
                for arm, start in arms.items():
                    print(
                        f"\n== seed {seed}: fine-tuning on {budget:.0%} of the labels, {arm} pretraining ==", flush=True
                    )
                    result = train(
                        "semantic_segmentation_2d", fine_tuning_experiment(config, rooms, start, budget, seed)
                    )
                    records.append(
                        {
                            "seed": seed,
                            "init": init,
                            "budget": budget,
                            "arm": arm,
                            "miou": 100 * result.metrics["miou_scannet"],
                            "match_rate": 100 * pretrained.metrics.get("match_rate_5px", float("nan")),
                        }
                    )
    return records


def summarise(config: Quickstart, records: list[dict]) -> list[dict]:
    """One row a starting point and budget: mean IoU without and with pretraining, and the paired difference."""
    rows = []
    for init in config.inits:
        for budget in config.budgets:
            arms = {
                arm: {
                    record["seed"]: record["miou"]
                    for record in records
                    if (record["init"], record["budget"], record["arm"]) == (init, budget, arm)
                }
                for arm in ("without", "with")
            }
            rows.append(
                {
                    "start": init,
                    "labels": f"{budget:.0%}",
                    "without": interval(list(arms["without"].values())),
                    "with Pri3D": interval(list(arms["with"].values())),
                    "difference": paired_difference(arms["without"], arms["with"]),
                }
            )
    return rows


def main() -> None:
    """Runs the experiment, prints the table and how to open MLflow."""
    started = time.monotonic()
    config = command_line.parse(Quickstart, prog="bash jobs/quickstart.sh")
    if config.rooms.rooms_val < 1:
        raise UserError("rooms.rooms-val must be at least 1: scores are taken on rooms that were not trained on")
    storage = storage_place(config.storage, "storage")
    connect(cpus=3)
    rooms = rooms_folder(storage, config.rooms)
    make_rooms(rooms, config.rooms)
    records = measure(config, rooms)
    report = storage / f"quickstart-{digest(config)}.json"
    report.write_text(json.dumps({"config": digest(config), "records": records}, indent=1))
    print(f"\nMean IoU in % over {config.seeds} seed(s), ScanNet protocol, rooms whose furniture was never seen:\n")
    print(format_table(summarise(config, records), ["start", "labels", "without", "with Pri3D", "difference"]))
    minutes = (time.monotonic() - started) / 60
    print(f"\n{minutes:.1f} minutes. Every figure: {report}")
    print(
        f"Pictures, curves and settings of each run:\n  .venv/bin/mlflow ui --backend-store-uri sqlite:///{storage}/mlflow.db"
    )


if __name__ == "__main__":
    run(main)
