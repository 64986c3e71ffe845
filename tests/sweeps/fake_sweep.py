"""A sweep as its records say it was, without any training: for tests of what is made of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sem3d.runs.checkpoint_files import write_checkpoint
from sem3d.sweeps.records import SweepRecord, TrialRecord, sweep_folder, write_record, write_sweep

CLASSES = ("unlabelled", "wall", "floor", "chair", "sofa <b>")
Score = Callable[[str, float, int], float]


def usual_score(arm: str, budget: float, seed: int) -> float:
    """Return more with more labels, more for later arms, little by seed."""
    gain = {"scratch": 0.0, "pri3d": 0.06}.get(arm, 0.03)
    return 0.2 + gain + 0.1 * budget**0.5 + 0.004 * seed + 0.001 * ((7 * seed + len(arm)) % 3)


def fake_sweep(
    storage: Path,
    *,
    name: str = "demo",
    arms: Sequence[str] = ("scratch", "pri3d"),
    budgets: Sequence[float] = (0.05, 0.2, 1.0),
    seeds: int = 3,
    score: Score = usual_score,
    metric: str = "miou_scannet",
    mode: str = "max",
    **changes: Any,
) -> Path:
    """Return the folder of a sweep whose trials have all finished, with evaluations, figures and small checkpoints."""
    folder = sweep_folder(storage, name)
    sweep = SweepRecord(
        name=name,
        space="pri3d",
        metric=metric,
        mode=mode,
        arms=list(arms),
        budgets=list(budgets),
        seeds=list(range(seeds)),
        **{
            "settings": {"data.root": "/data/rooms", "schedule.steps": 80},
            "estimate": {"trials": float(len(arms) * len(budgets) * seeds), "seconds": 600.0, "cpu_hours": 0.5},
            "spent": {"trials": float(len(arms) * len(budgets) * seeds), "seconds": 754.0, "cpu_hours": 0.61},
            **changes,
        },
    )
    write_sweep(folder, sweep)
    for arm in arms:
        for budget in budgets:
            for seed in range(seeds):
                write_record(folder, fake_trial(storage, arm, budget, seed, score(arm, budget, seed), metric))
    return folder


def fake_trial(
    storage: Path, arm: str, budget: float, seed: int, value: float, metric: str = "miou_scannet", **changes: Any
) -> TrialRecord:
    """Return one finished trial with what its run leaves on disk."""
    key = f"{arm}-{budget:g}-{seed}".replace("/", "_")
    run = storage / f"run-{key}"
    checkpoint = run / "checkpoints" / "step-00000080"
    leaves = {"run.seed": seed, "data.root": "/data/rooms", "init": arm}
    state = {"step": 80, "method": "toy:Toy", "counters": {}, "experiment": leaves}
    write_checkpoint(checkpoint, {"weight": torch.full((3,), float(value))}, {}, state)
    (run / "config.json").write_text(json.dumps({"data": "0123456789ab", "experiment": leaves}))
    (run / "evaluation.json").write_text(
        json.dumps({"step": 80, "metrics": {metric: value}, "artifacts": artifacts(value)})
    )
    picture(run / "figures" / "step-00000080" / "predictions.png", value)
    return TrialRecord(
        **{
            "key": key,
            "method": "semantic_segmentation_2d",
            "arm": arm,
            "budget": budget,
            "seed": seed,
            "settings": {"optim.lr": 0.001, "run.seed": seed, "data.budget_unit": "frame"},
            "metrics": {metric: value, "loss": 1.5},
            "run_folder": str(run),
            "checkpoint": str(checkpoint),
            "steps": 80,
            "stage_seconds": {"training": 30.0},
            "seconds": 41.5,
            **changes,
        }
    )


def artifacts(value: float) -> dict[str, Any]:
    """Return a table by class, a confusion matrix, and something that is neither."""
    wrong = (1 - value) / (len(CLASSES) - 2)
    matrix = np.full((len(CLASSES), len(CLASSES)), wrong) + (value - wrong) * np.eye(len(CLASSES))
    matrix[:, 0] = matrix[0] = 0
    counts = (1000 * matrix).astype(int).tolist()
    by_class = {name: value * (1 + 0.1 * number) for number, name in enumerate(CLASSES[1:])}
    return {"iou_by_class": by_class, "confusion": {"names": list(CLASSES), "matrix": counts}, "sums": [1.0, 2.0]}


def picture(path: Path, value: float) -> None:
    """Write a PNG at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, : int(90 * min(1, abs(value)))] = (0, 114, 178)
    Image.fromarray(pixels).save(path)
