"""Evaluation of a run on held-out data.

``python -m jobs.evaluate RUN`` takes the usual evaluation of the run's method; ``python -m jobs.evaluate NAME RUN`` another one,
with the options that ``python -m jobs.evaluate NAME --help`` lists. ``scores`` prints what any method reports of held-out data.
Four are of no single run: ``pixel_transfer --data.root PF_WILLOW``, ``aggregation``, and, of three runs that make a pipeline,
``pixel_semantics`` and ``pixel_semantics_photos --data.root PF_WILLOW --data.groups car``.
RUN is a run folder, one of its checkpoint folders, or a registered model such as ``models:/NAME@champion``, which is looked up in
``--run.tracking-uri``, else ``MLFLOW_TRACKING_URI``, else the MLflow store in ``--run.storage``.
"""

import inspect
import sys
from pathlib import Path
from typing import Any, get_type_hints

from PIL import Image

from jobs import command_line
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import absolute, place, storage_place
from sem3d.config import flatten, override
from sem3d.errors import UserError, near
from sem3d.files import write_text
from sem3d.methods import METHODS, method_class
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Program, TrainedRun
from sem3d.registers import resolve
from sem3d.reporting.tables import format_table, markdown_table, table_numbers
from sem3d.runs.checkpoint import CHECKPOINTS
from sem3d.runs.stored_run import stored_experiment
from sem3d.tracking.prediction import record_evaluation
from sem3d.tracking.registry import is_model_uri
from sem3d.tracking.registry import resolve as fetch
from sem3d.tracking.store import LockedStore
from sem3d.tracking.trouble import sqlite_path
from sem3d.training.ray.cluster import connect

PROG = "python -m jobs.evaluate"
SCORES = "scores"
WITHOUT_RUN = {
    "pixel_transfer": "sem3d.pipelines.pixel_transfer:pixel_transfer",
    "aggregation": "sem3d.pipelines.aggregation.program:aggregation",
    "pixel_semantics": "sem3d.pipelines.pixel_semantics.program:pixel_semantics",
    "pixel_semantics_photos": "sem3d.pipelines.pixel_semantics.photo_program:pixel_semantics_photos",
}
"""Evaluations that are of no single run."""


def evaluations() -> dict[str, dict[str, str]]:
    """Return the evaluations of each method, by name; the usual one of a method is its first."""
    every = {SCORES: "sem3d.pipelines.scores:scores"}
    return {name: method_class(name).evaluations | every for name in METHODS}


def options_of(chosen: Program) -> type:
    """Return the dataclass of a program's options."""
    return get_type_hints(chosen)["options"]


def folder_of(run_name: str, storage: str, tracking_uri: str) -> Path:
    """Return where a run lies on this machine; a registered model is fetched and verified."""
    return fetch(run_name, Path(storage), tracking_uri) if is_model_uri(run_name) else place(run_name)


def home(run_name: str) -> Path:
    """Return the storage folder that a run or one of its checkpoints lies in; that of a registered model is ``runs``."""
    if is_model_uri(run_name):
        return storage_place("runs")
    folder = place(run_name)
    return (folder.parents[1] if folder.parent.name == CHECKPOINTS else folder).parent


def trained_run(options: EvaluationOptions) -> TrainedRun:
    """Return the run with what the user changes of it; raises :class:`UserError` for a setting that its method lacks."""
    storage = options.storage or str(home(options.run))
    folder = folder_of(options.run, storage, options.tracking_uri)
    name, experiment = stored_experiment(folder)
    changes: dict[str, Any] = dict.fromkeys(("run.batch_size", "run.evaluation_batch_size"), options.batch_size)
    changes |= {"run.device": options.device, "run.storage": storage}
    changes |= {"data.root": options.root} if options.root else {}
    changes |= {"data.evaluation_split": options.split} if options.split else {}
    for leaf in changes.keys() - flatten(experiment).keys():
        raise UserError(f"{name} has no {leaf}: leave it out")
    return TrainedRun(folder, name, override(experiment, changes))


def chosen(arguments: list[str]) -> tuple[str, Any]:
    """Return the name of the evaluation, empty for the usual one, and the options."""
    known = {name: path for of_method in evaluations().values() for name, path in of_method.items()}
    if arguments[0] in known:
        kind = options_of(resolve(known[arguments[0]]))
        return arguments[0], command_line.parse(kind, args=arguments[1:], prog=f"{PROG} {arguments[0]}")
    if not is_model_uri(arguments[0]) and not Path(arguments[0]).is_dir():
        if len(Path(arguments[0]).parts) > 1:
            raise UserError(
                f"no run at {place(arguments[0])}: name a run folder or one of its checkpoints/step-... folders"
            )
        raise UserError(
            f"'{arguments[0]}' is neither a run nor an evaluation: choose one of {', '.join(known)}, then name a run; or "
            f"{', '.join(WITHOUT_RUN)}, which takes none{near(arguments[0], [*known, *WITHOUT_RUN])}"
        )
    return "", command_line.parse(EvaluationOptions, args=arguments, prog=PROG)


def evaluate_without_run(name: str, arguments: list[str]) -> None:
    """Take an evaluation that needs no run; its pictures go to a folder of its name in the storage."""
    evaluation = resolve(WITHOUT_RUN[name])
    kind, description = options_of(evaluation), (inspect.getdoc(evaluation) or "").partition("\n\n")[0]
    options = absolute(command_line.parse(kind, args=arguments, prog=f"{PROG} {name}", description=description))
    begin_in_earnest()
    outcome, storage = evaluation(options), Path(options.storage)
    files = tell(outcome, storage / name)
    told = {"evaluation": name, "data": str(getattr(options, "root", ""))}
    record(name, told, outcome, files, storage, "")


def tell(outcome: Outcome, folder: Path) -> list[Path]:
    """Print tables and lines, and keep pictures and pages in the run's folder; returns those files."""
    files = []
    for table in outcome.tables:
        print(format_table(table.rows, table.columns, digits=table.digits))
    for line in outcome.lines:
        print(line)
    for name, picture in outcome.pictures.items():
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        print(f"picture    {path}")
        files.append(path)
    for name, page in outcome.pages.items():
        path = folder / "figures" / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        write_text(path, page)
        print(f"page       {path}: turn it in a browser")
        files.append(path)
    return files


def record(
    name: str, parameters: dict[str, str], outcome: Outcome, files: list[Path], storage: Path, tracking_uri: str
) -> None:
    """Record an evaluation in MLflow where there is a store: one that is named, or that of the storage folder.

    A run that was moved here alone is evaluated without one.
    """
    store = LockedStore(storage, tracking_uri)
    database = sqlite_path(store.uri)
    if database is not None and not database.is_file():
        return
    tables = [markdown_table(table.rows, table.columns, digits=table.digits) for table in outcome.tables]
    numbers = {
        key: value for table in outcome.tables for key, value in table_numbers(table.rows, table.columns).items()
    }
    print(record_evaluation(store, name, parameters, [*tables, *outcome.lines], files, numbers))


def main() -> None:
    """Pick the evaluation by its name, or by the run's method."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        listed = "\n".join(f"  {name}: {', '.join(of_method)}" for name, of_method in evaluations().items())
        listed += f"\n  no run: {', '.join(WITHOUT_RUN)}"
        print(f"usage: {PROG} [NAME] RUN [--data.root DIR]\n\n{__doc__}\nevaluations, the usual one first:\n{listed}")
        return
    if sys.argv[1] in WITHOUT_RUN:
        return evaluate_without_run(sys.argv[1], sys.argv[2:])
    name, options = chosen(sys.argv[1:])
    options = absolute(options)
    begin_in_earnest()
    trained = trained_run(options)
    by_method = evaluations()
    of_method = by_method[trained.method]
    if name and name not in of_method:
        able = [method for method, names in by_method.items() if name in names]
        raise UserError(f"{options.run} is a run of {trained.method}; {name} takes {' or '.join(able)}")
    connect(cpus=2)
    evaluation = name or next(iter(of_method))
    outcome = resolve(of_method[evaluation])(trained, options)
    files = tell(outcome, trained.folder)
    told = {"evaluation": evaluation, "run": options.run, "method": trained.method}
    told |= {"data": str(flatten(trained.experiment).get("data.root", ""))}
    record(
        f"{evaluation} of {Path(options.run).name}",
        told,
        outcome,
        files,
        place(trained.experiment.run.storage),
        options.tracking_uri,
    )


if __name__ == "__main__":
    run(main)
