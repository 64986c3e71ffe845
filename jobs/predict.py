"""Prediction from a file of yours with a trained run: ``python -m jobs.predict METHOD --image FILE --out FILE [--run RUN]``.

Methods that read points take ``--cloud FILE`` instead. ``python -m jobs.predict METHOD --help`` says what a method predicts.
Without ``--run`` it is the method's champion in MLflow. ``pixel_semantics`` is a pipeline of three runs, each with an option.
"""

import sys
from dataclasses import fields, replace
from pathlib import Path

from jobs import command_line
from jobs.evaluate import folder_of, options_of
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import absolute
from sem3d.config import override
from sem3d.errors import UserError, near
from sem3d.methods import METHODS, first_preset, method_class
from sem3d.pipelines.options import MadeByOptions
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.registers import resolve
from sem3d.runs.stored_run import stored_experiment

PROG = "python -m jobs.predict"
ASIDE = {"out", *(one.name for one in fields(MadeByOptions))}
"""Options beside the file that is given, whose name depends on its kind."""


OF_SEVERAL_RUNS = {"pixel_semantics": "sem3d.pipelines.pixel_semantics.prediction:predict_pixel_semantics"}
"""Predictions by pipelines."""


def predicting() -> list[str]:
    """Return the methods and pipelines that predict."""
    return [*(name for name in METHODS if method_class(name).prediction), *OF_SEVERAL_RUNS]


def predict_by_several(name: str, arguments: list[str]) -> None:
    """Predict with a pipeline and say what came out."""
    predict = resolve(OF_SEVERAL_RUNS[name])
    options = absolute(
        command_line.parse(options_of(predict), args=arguments, prog=f"{PROG} {name}", description=predict.__doc__)
    )
    if not Path(options.image).is_file():
        raise UserError(f"{options.image} cannot be read: there is no such file")
    begin_in_earnest()
    for line in predict(options).lines:
        print(line)


def main() -> None:
    """Parse, predict, write."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(
            f"usage: {PROG} METHOD --image FILE --out FILE [--run RUN]\n\n{__doc__}\nmethods: {', '.join(predicting())}"
        )
        return
    name = sys.argv[1]
    if name not in predicting():
        known = predicting()
        if name in METHODS:
            raise UserError(f"{name} predicts nothing from a file: {method_class(name).unpredicted}")
        raise UserError(f"'{name}' is no method that predicts: choose one of {', '.join(known)}{near(name, known)}")
    if name in OF_SEVERAL_RUNS:
        return predict_by_several(name, sys.argv[2:])
    predict = resolve(method_class(name).prediction)
    options = command_line.parse(
        options_of(predict), args=sys.argv[2:], prog=f"{PROG} {name}", description=predict.__doc__
    )
    named = options.run
    options = absolute(replace(options, run=named or f"models:/sem3d-{name}@champion"))
    given = next(getattr(options, one.name) for one in fields(options) if one.name not in ASIDE)
    if not Path(given).is_file():
        raise UserError(f"{given} cannot be read: there is no such file")
    begin_in_earnest()
    try:
        folder = folder_of(options.run, options.storage, options.tracking_uri)
    except UserError as error:
        if named:
            raise
        preset = first_preset(method_class(name))
        train = f"python -m jobs.train {name} --preset {preset} --data.root DATA"
        raise UserError(
            f"no --run is named, and the champion of {name} is not there: train one ({train}); {error}"
        ) from error
    made_by, experiment = stored_experiment(folder)
    if made_by != name:
        raise UserError(f"{options.run} is a run of {made_by}; name one of {name}")
    changes = {"run.device": options.device, "run.storage": options.storage}
    for line in predict(TrainedRun(folder, name, override(experiment, changes)), options).lines:
        print(line)


if __name__ == "__main__":
    run(main)
