"""Evaluates a run on held-out data and prints the numbers.

``python -m jobs.evaluate RUN`` takes the evaluation that fits the run's method.
``python -m jobs.evaluate correspondence RUN`` compares a Pri3D run with the same network before pretraining: the share of
pixels whose nearest neighbour in feature space, among all pixels of the other frame, lies within 5 px of the true match.
``python -m jobs.evaluate segmentation RUN`` scores a segmentation run by both mIoU protocols, class by class.
``python -m jobs.evaluate probe RUN --data.root DIR`` fits a linear probe on the frozen features of a Pri3D or segmentation
run, and of the same network before training.
``python -m jobs.evaluate surfaces RUN --meshes DIR`` compares the meshes of an SSR run with those that the renders were made
from: Chamfer distance, F-score, and a picture of both in the run folder.
``python -m jobs.evaluate scores RUN`` prints what the method itself reports of held-out data, for any method.
RUN is a run folder, one of its checkpoint folders, or a registered model such as ``models:/sem3d-pri3d@champion``, which is
looked up in ``--run.tracking-uri``, else ``MLFLOW_TRACKING_URI``, else the MLflow store in ``--run.storage``.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import tyro
from PIL import Image
from tyro.conf import Positional

from jobs import command_line
from jobs.exits import run
from jobs.places import place, storage_place, store_place
from sem3d.config import Experiment, flatten, override
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import Method
from sem3d.pipelines.offline import evaluate_once, frozen_features
from sem3d.reporting.formatting import metric_of
from sem3d.reporting.tables import format_table
from sem3d.runs.checkpoint import weights_file, weights_source
from sem3d.runs.stored_run import stored_experiment
from sem3d.tracking.registry import is_model_uri, resolve
from sem3d.training.context import seed_everything
from sem3d.training.ray.cluster import connect


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """What to evaluate, on what."""

    run: Positional[str]
    """Run folder, one of its checkpoint folders, or models:/NAME@ALIAS or models:/NAME/VERSION."""
    root: Annotated[str, tyro.conf.arg(name="data.root")] = ""
    """Data to evaluate on; empty: those the run was trained on."""
    batch_size: int = 8
    """Items evaluated at a time; does not change the numbers."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """auto takes the GPU where this machine has one."""
    split: Annotated[Literal["", "val", "test"], tyro.conf.arg(name="data.evaluation-split")] = ""
    """Split of single objects to evaluate on; empty: that of the run."""
    meshes: str = ""
    """Folder of the meshes that the renders were made from; surfaces only."""
    storage: Annotated[str, tyro.conf.arg(name="run.storage")] = "runs"
    """Folder of the default MLflow store; registered models are kept there once fetched."""
    tracking_uri: Annotated[str, tyro.conf.arg(name="run.tracking-uri")] = ""
    """MLflow server or store of registered models; empty: MLFLOW_TRACKING_URI, else a SQLite file in run.storage."""

    @cached_property
    def folder(self) -> Path:
        """Where the run lies on this machine; a registered model is fetched and verified."""
        if is_model_uri(self.run):
            return resolve(self.run, storage_place(self.storage), store_place(self.tracking_uri))
        return place(self.run)


def build(name: str, experiment: Experiment, source: str) -> Method:
    """The method with the weights of ``source``, what is new in it being drawn as in training."""
    seed_everything(experiment.run.seed)
    method = method_class(name)(experiment)
    method.initialise(weights_source(source))
    return method.eval()


def settings(config: Evaluate, expected: tuple[str, ...] = ()) -> tuple[str, Experiment]:
    """Method and experiment of the run; raises :class:`UserError` where it is of none of the methods ``expected``."""
    name, experiment = stored_experiment(config.folder)
    if expected and name not in expected:
        raise UserError(f"{config.run} is a run of {name}; this takes {' or '.join(expected)}")
    changes: dict[str, object] = {"run.batch_size": config.batch_size, "run.device": config.device}
    if config.root:
        changes["data.root"] = str(place(config.root))
    if config.split:
        if "data.evaluation_split" not in flatten(experiment):
            raise UserError(f"{name} has no data.evaluation_split: leave it away")
        changes["data.evaluation_split"] = config.split
    return name, override(experiment, changes)


def correspondence(config: Evaluate) -> None:
    """Match rate before and after pretraining, beside that of guessing."""
    name, experiment = settings(config, ("pri3d",))
    arms = {"before pretraining": experiment.init, "after pretraining": str(weights_file(config.folder))}
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
    settings(config, ("semantic_segmentation_2d",))
    scores(config)


def scores(config: Evaluate) -> None:
    """What the method reports of held-out data: its tables by class, then its metrics."""
    name, experiment = settings(config)
    found = evaluate_once(build(name, experiment, str(weights_file(config.folder))), experiment)
    for title, content in found.artifacts.items():
        if isinstance(content, dict) and all(isinstance(value, float) for value in content.values()):
            shown = metric_of(title, "max", content.values())
            rows = [{"class": key, shown.axis: shown.scaled(value)} for key, value in content.items()]
            print(format_table(rows, ["class", shown.axis]))
    metrics = [{"metric": key, "value": value} for key, value in found.metrics.items()]
    print(format_table(metrics, ["metric", "value"], digits=4))


def probe(config: Evaluate) -> None:
    """Linear probe on frozen decoder features, before and after training."""
    from sem3d.evaluation.probes import linear_probe

    name, experiment = settings(config, ("pri3d", "semantic_segmentation_2d"))
    rows = []
    for arm, source in {"before": experiment.init, "after": str(weights_file(config.folder))}.items():
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


def surfaces(config: Evaluate) -> None:
    """Chamfer distance and F-score, with a picture beside the truth."""
    name, experiment = settings(config, ("ssr",))
    if not config.meshes:
        raise UserError("name the folder of the meshes that the renders were made from with --meshes")
    from sem3d.pipelines.surfaces import compare_surfaces

    method = build(name, experiment, str(weights_file(config.folder)))
    found = compare_surfaces(method, experiment, place(config.meshes))
    metrics = [{"metric": key, "value": value} for key, value in found.metrics.items()]
    print(format_table(metrics, ["metric", "value"], digits=4))
    picture = config.folder / "figures" / "surfaces.png"
    picture.parent.mkdir(exist_ok=True)
    Image.fromarray(found.picture).save(picture)
    print(f"picture    {picture}")


EVALUATIONS: dict[str, Callable[[Evaluate], None]] = {
    "correspondence": correspondence,
    "segmentation": segmentation,
    "probe": probe,
    "surfaces": surfaces,
    "scores": scores,
}
OF_METHOD = {"pri3d": "correspondence", "semantic_segmentation_2d": "segmentation"}
"""The evaluation that is meant where none is named; methods that are not here print their scores."""


def chosen(arguments: list[str]) -> tuple[str, Evaluate]:
    """The evaluation and its settings; it is the run's own where the first argument names a run instead."""
    prog = "python -m jobs.evaluate"
    if arguments[0] in EVALUATIONS:
        return arguments[0], command_line.parse(Evaluate, args=arguments[1:], prog=f"{prog} {arguments[0]}")
    if not is_model_uri(arguments[0]) and not Path(arguments[0]).is_dir():
        raise UserError(
            f"'{arguments[0]}' is neither a run nor an evaluation: choose one of {', '.join(EVALUATIONS)}, then name a run"
        )
    config = command_line.parse(Evaluate, args=arguments, prog=prog)
    name, _ = stored_experiment(config.folder)
    return OF_METHOD.get(name, "scores"), config


def main() -> None:
    """Picks the evaluation by its name, or by the run's method."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(f"usage: python -m jobs.evaluate [{{{','.join(EVALUATIONS)}}}] RUN [--data.root DIR]\n\n{__doc__}")
        return
    name, config = chosen(sys.argv[1:])
    connect(cpus=2)
    EVALUATIONS[name](config)


if __name__ == "__main__":
    run(main)
