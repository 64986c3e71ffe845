"""What is believed of a checkpoint that may come from elsewhere."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from jobs.evaluate import trained_run
from sem3d.config import Place, flatten, kinds, of_kind, override
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.pipelines.options import EvaluationOptions
from sem3d.runs.checkpoint_files import write_checkpoint
from sem3d.runs.stored_run import stored_experiment
from tests.runs.test_checkpoint import trained


def checkpoint(folder: Path, method: Any = "pri3d", **changes: Any) -> Path:
    """A run of Pri3D with other leaves; weights of another network do for what is read here."""
    experiment = method_class("pri3d").presets["laptop"]()
    leaves = json.loads(json.dumps(flatten(experiment), default=str)) | changes
    model, optimizer = trained()
    path = folder / "checkpoints" / "step-00000001"
    state = {"step": 1, "method": method, "experiment": leaves}
    write_checkpoint(path, model.state_dict(), {"main": optimizer.state_dict()}, state)
    return folder


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_comes_back_as_it_was(name: str):
    for preset in method_class(name).presets.values():
        experiment = preset()
        leaves, declared = json.loads(json.dumps(flatten(experiment))), kinds(experiment)
        assert (
            override(experiment, {leaf: of_kind(value, declared[leaf]) for leaf, value in leaves.items()}) == experiment
        )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, int), (1, bool), (True, float), ("1", int), (1.5, int), (None, str), ([1], str), ({}, float),
        ("c", Literal["a", "b"]), (1, Literal[True]), (["a", 1], tuple[str, ...]), ([1, 2, 3], tuple[int, int]),
        ("ab", tuple[str, ...]), (7, Annotated[str, Place("file")]),
    ],
)  # fmt: skip
def test_values_of_another_type_are_no_settings(value: Any, kind: Any):
    with pytest.raises((TypeError, ValueError)):
        of_kind(value, kind)


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("run.batch_size", "8"), ("method.encoder", 3), ("data.height", 240.5), ("optim.lr", None), ("init", []),
        ("data.prepare", 1), ("no.such", 1), ("init_without", "unet"), ("data.augmentation.hue", {"a": 1}),
    ],
)  # fmt: skip
def test_a_checkpoint_with_another_type_or_setting_is_one_line_that_names_it(tmp_path: Path, leaf: str, value: Any):
    with pytest.raises(UserError, match=leaf) as error:
        stored_experiment(checkpoint(tmp_path, **{leaf: value}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", [None, 3, ["pri3d"], "no such", {}])
def test_a_checkpoint_of_no_method_is_one_line(tmp_path: Path, method: Any):
    with pytest.raises(UserError, match="not in the register of methods"):
        stored_experiment(checkpoint(tmp_path, method))


def test_settings_of_the_right_types_that_make_no_network_are_one_line(tmp_path: Path):
    with pytest.raises(UserError, match=r"method\.unet\.dim is -3, it must be a whole number from 1"):
        trained_run(EvaluationOptions(run=str(checkpoint(tmp_path / "bounds", **{"method.unet.dim": -3}))))
    run = trained_run(EvaluationOptions(run=str(checkpoint(tmp_path / "run", **{"method.unet.encoder": "resnet50"}))))
    assert run.experiment.method.unet.encoder == "resnet50"


def test_an_evaluation_writes_where_its_command_says_and_follows_no_path_of_the_checkpoint(tmp_path: Path):
    elsewhere = {"run.storage": "/elsewhere", "run.tracking_uri": "http://elsewhere", "init": "/elsewhere/weights.pth"}
    folder = checkpoint(tmp_path / "storage" / "run", **elsewhere)
    for options, storage in (
        ({"run": str(folder)}, tmp_path / "storage"),
        ({"run": str(folder / "checkpoints" / "step-00000001")}, tmp_path / "storage"),
        ({"run": str(folder), "storage": str(tmp_path / "mine")}, tmp_path / "mine"),
    ):
        run = trained_run(EvaluationOptions(**options))
        assert run.experiment.run.storage == str(storage)
        assert run.experiment.run.tracking_uri == ""
        with pytest.raises(UserError, match=r"started from /elsewhere/weights\.pth: name that, .* with --init"):
            run.started_from("")
        assert run.started_from("/my/weights.pth") == "/my/weights.pth"
