"""Evaluates a run on held-out data and prints the numbers.

``python -m jobs.evaluate correspondence RUN`` compares a Pri3D run with the same network before pretraining: the share of
pixels whose nearest neighbour in feature space, among all pixels of the other frame, lies within 5 px of the true match.
``python -m jobs.evaluate segmentation RUN`` scores a segmentation run by both mIoU protocols, class by class.
``python -m jobs.evaluate probe RUN --data.root DIR`` fits a linear probe on the frozen features of a Pri3D or segmentation
run, and of the same network before training.
RUN is a run folder or one of its checkpoint folders.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from jobs import command_line
from jobs.exits import run
from sem3d.config import Experiment, override
from sem3d.datasets.labels import CLASS_NAMES
from sem3d.errors import UserError
from sem3d.evaluation.tables import format_table
from sem3d.methods import method_class
from sem3d.methods.method import Method
from sem3d.training.checkpoint import weights_file
from sem3d.training.cluster import connect
from sem3d.training.context import seed_everything
from sem3d.training.offline import evaluate_once, frozen_features
from sem3d.training.stored_run import stored_experiment


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """What to evaluate, on what."""

    run: Positional[Path]
    """Run folder, or one of its checkpoint folders."""
    root: Annotated[str, tyro.conf.arg(name="data.root")] = ""
    """Data to evaluate on; empty: those the run was trained on."""
    batch_size: int = 8
    """Items evaluated at a time; does not change the numbers."""


def build(name: str, experiment: Experiment, source: str) -> Method:
    """The method with the weights of ``source``, what is new in it being drawn as in training."""
    seed_everything(experiment.run.seed)
    method = method_class(name)(experiment)
    method.initialise(str(weights_file(Path(source))) if Path(source).is_dir() else source)
    return method.eval()


def settings(config: Evaluate, expected: tuple[str, ...]) -> tuple[str, Experiment]:
    """Method and experiment of the run; raises :class:`UserError` where it is of another method."""
    name, experiment = stored_experiment(config.run)
    if name not in expected:
        raise UserError(f"{config.run} is a run of {name}; this evaluation takes {' or '.join(expected)}")
    changes: dict[str, object] = {"run.batch_size": config.batch_size}
    if config.root:
        changes["data.root"] = str(Path(config.root).resolve())
    return name, override(experiment, changes)


def correspondence(config: Evaluate) -> None:
    """Match rate before and after pretraining, beside that of guessing."""
    name, experiment = settings(config, ("pri3d",))
    arms = {"before pretraining": experiment.init, "after pretraining": str(weights_file(config.run))}
    rows = []
    for arm, source in arms.items():
        metrics = evaluate_once(build(name, experiment, source), experiment).metrics
        rows.append(
            {
                "network": arm,
                "within 5 px, %": 100 * metrics["match_rate_5px"],
                "by chance, %": 100 * metrics["match_rate_5px_by_chance"],
                "median error, px": metrics["match_median_error_px"],
            }
        )
    print(format_table(rows, list(rows[0])))
    before, after = (row["within 5 px, %"] for row in rows)
    ratio = f"ratio {after / before:.2f}" if before else "before: none found"
    print(f"{ratio}, on held-out pairs of {experiment.data.root}")


def segmentation(config: Evaluate) -> None:
    """Scores by both protocols and IoU of each class."""
    name, experiment = settings(config, ("semantic_segmentation_2d",))
    method = build(name, experiment, str(weights_file(config.run)))
    found = evaluate_once(method, experiment)
    classes = [{"class": key, "IoU, %": 100 * value} for key, value in found.artifacts["iou_by_class"].items()]
    print(format_table(classes, ["class", "IoU, %"]))
    metrics = [{"metric": key, "value": value} for key, value in found.metrics.items()]
    print(format_table(metrics, ["metric", "value"], digits=4))


def probe(config: Evaluate) -> None:
    """Linear probe on frozen decoder features, before and after training."""
    from sem3d.evaluation.probes import linear_probe

    name, experiment = settings(config, ("pri3d", "semantic_segmentation_2d"))
    rows = []
    for arm, source in {"before": experiment.init, "after": str(weights_file(config.run))}.items():
        network = build(name, experiment, source).unet
        train, test = (frozen_features(network, experiment, split) for split in ("train", "val"))
        found = linear_probe(*train, *test, classes=len(CLASS_NAMES), seed=experiment.run.seed)
        rows.append(
            {
                "network": f"{arm} training",
                "probe mIoU, %": 100 * found.score.miou,
                "pixel accuracy, %": 100 * found.score.pixel_accuracy,
                "converged": str(found.converged),
            }
        )
    print(format_table(rows, list(rows[0])))


EVALUATIONS: dict[str, Callable[[Evaluate], None]] = {
    "correspondence": correspondence,
    "segmentation": segmentation,
    "probe": probe,
}


def main() -> None:
    """Picks the evaluation by its name."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(f"usage: python -m jobs.evaluate {{{','.join(EVALUATIONS)}}} RUN [--data.root DIR]\n\n{__doc__}")
        return
    if sys.argv[1] not in EVALUATIONS:
        raise UserError(f"unknown evaluation '{sys.argv[1]}': choose one of {', '.join(EVALUATIONS)}")
    config = command_line.parse(Evaluate, args=sys.argv[2:], prog=f"python -m jobs.evaluate {sys.argv[1]}")
    connect(cpus=2)
    EVALUATIONS[sys.argv[1]](config)


if __name__ == "__main__":
    run(main)
