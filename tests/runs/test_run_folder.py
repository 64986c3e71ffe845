import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sem3d.config import flatten, override
from sem3d.errors import UserError
from sem3d.runs.checkpoint import CheckpointStore
from sem3d.runs.checkpoint_files import write_checkpoint
from sem3d.runs.run_folder import (
    CONFIG_NAME,
    checkpoint_of,
    open_run_folder,
    read_config,
    read_result,
    run_name,
    write_result,
)
from tests.runs.test_checkpoint import trained
from tests.training.toy_method import toy_experiment


def test_the_same_command_finds_the_same_folder(tmp_path: Path):
    experiment = toy_experiment(tmp_path)
    assert open_run_folder("toy", experiment, "data") == open_run_folder(
        "toy", override(experiment, {"run.workers": 2}), "data"
    )
    assert run_name("toy", experiment) != run_name("toy", override(experiment, {"optim.lr": 0.2}))


def test_a_name_is_not_shared_by_two_experiments(tmp_path: Path):
    experiment = toy_experiment(tmp_path, run={"name": "mine"})
    open_run_folder("toy", experiment, "data")
    with pytest.raises(UserError, match=r"has other settings \(optim.lr 0.05 -> 0.2\)"):
        open_run_folder("toy", override(experiment, {"optim.lr": 0.2}), "data")
    with pytest.raises(UserError, match=r"has other settings \(data 'data' -> 'more data'\)"):
        open_run_folder("toy", experiment, "more data")
    with pytest.raises(UserError, match=r"exists: choose another run\.name"):
        open_run_folder("toy", replace(experiment, resume="never"), "data")


@pytest.mark.parametrize("length", [{}, {"steps": 0, "epochs": 2.0}])
def test_settings_that_are_lost_are_taken_from_the_newest_checkpoint_and_compared(tmp_path: Path, length):
    experiment = toy_experiment(tmp_path, run={"name": "mine"}, schedule=length)
    folder = open_run_folder("toy", experiment, "data")
    leaves = json.loads(json.dumps(flatten(experiment), default=str))
    model, optimizer = trained()
    state = {"step": 1, "method": "toy", "experiment": leaves}
    path = CheckpointStore(folder / "checkpoints").path(1)
    write_checkpoint(path, model.state_dict(), {"main": optimizer.state_dict()}, state)
    for damaged in (b"", b"{}", None):
        if damaged is None:
            (folder / CONFIG_NAME).unlink()
        else:
            (folder / CONFIG_NAME).write_bytes(damaged)
        with pytest.raises(UserError, match=r"has other settings \(optim.lr 0.05 -> 0.2\)"):
            open_run_folder("toy", override(experiment, {"optim.lr": 0.2}), "data")
        with pytest.raises(UserError, match=r"has other settings \(method 'toy' -> 'other'\)"):
            open_run_folder("other", experiment, "data")
    assert open_run_folder("toy", override(experiment, {"run.log_every": 3}), "data") == folder
    assert read_config(folder)["data"] == "data"


@pytest.mark.parametrize("source", ["pri3d-1", "pri3d-1/checkpoints/step-00000100"])
def test_a_run_is_found_where_it_was_moved_with_what_it_starts_from(tmp_path: Path, source: str):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "runs" / source).mkdir(parents=True)
    begun = toy_experiment(here / "runs", run={"name": "mine"})
    begun = replace(begun, init=str(here / "runs" / source))
    open_run_folder("toy", begun, "data")
    shutil.copytree(here, there)
    goes_on = override(begun, {"run.storage": str(there / "runs"), "init": str(there / "runs" / source)})
    with pytest.raises(UserError, match=r"has other settings \(init "):
        open_run_folder("toy", goes_on, "data")  # the weights of before are still there: these may be others
    here.rename(tmp_path / "away")
    other = str(there / "runs" / source.replace("-1", "-2"))
    with pytest.raises(UserError, match=r"has other settings \(init "):
        open_run_folder("toy", override(goes_on, {"init": other}), "data")
    for word in ("scratch", ""):
        with pytest.raises(UserError, match=r"has other settings \(init "):
            open_run_folder("toy", override(goes_on, {"init": word}), "data")
    folder = open_run_folder("toy", goes_on, "data")
    assert folder == there / "runs" / "mine"
    result = {"checkpoint_last": str(here / "runs/mine/checkpoints/step-00000004")}
    assert checkpoint_of(folder, result, "checkpoint_last") == folder / "checkpoints" / "step-00000004"


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path):
    said = "run.name is 330 characters long, a folder's name can have 255"
    with pytest.raises(UserError, match=said):
        open_run_folder("toy", toy_experiment(tmp_path, run={"name": "lr0.1_bs4_x" * 30}), "data")
    with pytest.raises(UserError, match="a folder's name can have 255"):
        open_run_folder("toy", toy_experiment(tmp_path, run={"name": "ü" * 128}), "data")
    assert open_run_folder("toy", toy_experiment(tmp_path, run={"name": "n" * 255}), "data").is_dir()


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "two\nlines", "no\udcffutf8"])
def test_a_name_stays_inside_the_storage(tmp_path: Path, name: str):
    with pytest.raises(UserError, match="must be a plain folder name"):
        open_run_folder("toy", toy_experiment(tmp_path, run={"name": name}), "data")


def test_storage_must_be_a_folder_one_can_write_to(tmp_path: Path):
    with pytest.raises(UserError, match="must be a folder that all workers share"):
        open_run_folder("toy", toy_experiment(tmp_path, run={"storage": "s3://bucket/runs"}), "data")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        open_run_folder("toy", toy_experiment(tmp_path / "file"), "data")


def test_a_result_is_there_only_once_it_is_written(tmp_path: Path):
    assert read_result(tmp_path) is None
    result = {"steps": 4, "metrics": {"error": 1}, "mlflow_run_id": "1", "seconds": {"training": 0.5}}
    result |= {"checkpoint_best": "a", "checkpoint_last": "b"}
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
