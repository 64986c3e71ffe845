"""Small files of a run, damaged as a full disk, a kill or a dead file server leaves them."""

import json
from pathlib import Path

import pytest
from safetensors import SafetensorError

from sem3d.errors import UserError
from sem3d.runs import checkpoint_files
from sem3d.runs.checkpoint import CheckpointStore, weights_file
from sem3d.runs.checkpoint_files import problem, write_checkpoint
from sem3d.runs.quarantine import Quarantine, quarantine_report
from sem3d.runs.run_folder import (
    CONFIG_NAME,
    RESULT,
    RESULT_NAME,
    open_run_folder,
    read_config,
    read_result,
    write_result,
)
from tests.runs.test_checkpoint import trained, write
from tests.training.toy_method import toy_experiment

DAMAGE = [b"", b'{"checkpoint": "step', b"\0" * 30, b"null", b"[1]", b"{}"]


@pytest.mark.parametrize("content", DAMAGE)
def test_without_a_pointer_to_the_best_the_newest_is_used_and_pruning_goes_on(tmp_path: Path, content: bytes):
    for step in (1, 2, 3):
        write(tmp_path, step)
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    (store.folder / "best.json").write_bytes(content)
    assert store.best() is None
    assert weights_file(tmp_path).parent.name == "step-00000003"
    store.prune()
    assert [path.name for path in store.newest_first()] == ["step-00000003", "step-00000002"]


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": None},
        {"files": []},
        {"files": {"weights.safetensors": None, "state.json": None}},
        {"files": {"weights.safetensors": {}, "state.json": {}}},
        {"format": None},
    ],
)
def test_a_manifest_that_does_not_say_what_was_written_means_the_checkpoint_before(tmp_path: Path, change: dict):
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    manifest = newest / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    assert problem(newest) is not None
    said: list[str] = []
    found = CheckpointStore(tmp_path / "checkpoints", warn=said.append).latest()
    assert found is not None
    assert found.name == "step-00000001"
    assert len(said) == 1
    with pytest.raises(UserError, match="is damaged"):
        weights_file(newest)


def test_a_file_that_cannot_be_read_means_the_checkpoint_before(tmp_path: Path):
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    (newest / "state.json").unlink()
    assert problem(newest) == "state.json is missing"
    (newest / "state.json").mkdir()
    assert problem(newest) == "state.json is not what was written"
    (newest / "state.json").rmdir()
    (newest / "state.json").symlink_to("state.json")
    assert problem(newest) == "state.json: Too many levels of symbolic links"
    found = CheckpointStore(tmp_path / "checkpoints", warn=[].append).latest()
    assert found is not None
    assert found.name == "step-00000001"


def test_a_checkpoint_that_finds_no_room_leaves_nothing_and_says_how_much_it_needs(tmp_path: Path, monkeypatch):
    path = write(tmp_path, 1).with_name("step-00000002")
    model, optimizer = trained()

    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "save_file", full)
        with pytest.raises(UserError, match=r"step-00000002: 1 MB are needed for a checkpoint, \d+ MB are free"):
            write_checkpoint(path, model.state_dict(), {"main": optimizer.state_dict()}, {"step": 2})
    assert [entry.name for entry in path.parent.iterdir()] == ["step-00000001"]


def test_a_manifest_of_a_million_brackets_is_damaged(tmp_path: Path):
    newest = write(tmp_path, 1)
    (newest / "manifest.json").write_text("[" * 1_000_000)
    assert problem(newest) == "manifest.json is missing or unreadable"


@pytest.mark.parametrize("content", DAMAGE)
def test_a_run_whose_settings_are_damaged_writes_them_again(tmp_path: Path, content: bytes):
    experiment = toy_experiment(tmp_path)
    folder = open_run_folder("toy", experiment, "data")
    whole = (folder / CONFIG_NAME).read_bytes()
    (folder / CONFIG_NAME).write_bytes(content)
    assert read_config(folder) is None
    assert open_run_folder("toy", experiment, "data") == folder
    assert (folder / CONFIG_NAME).read_bytes() == whole


@pytest.mark.parametrize("content", DAMAGE)
def test_a_run_whose_result_is_damaged_is_not_finished(tmp_path: Path, content: bytes):
    (tmp_path / RESULT_NAME).write_bytes(content)
    assert read_result(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [*[{key: None} for key in RESULT], {"metrics": {"miou": "0.5"}}, {"seconds": 3.5}, {"steps": "4"}],
    ids=str,
)
def test_a_result_that_says_less_than_its_readers_need_is_none(
    tmp_path: Path, change: dict, caplog: pytest.LogCaptureFixture
):
    result = {
        "steps": 4,
        "metrics": {},
        "mlflow_run_id": "1",
        "seconds": {},
        "checkpoint_best": "",
        "checkpoint_last": "",
    }
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
    write_result(tmp_path, result | change)
    assert read_result(tmp_path) is None
    (key,) = change
    write_result(tmp_path, {name: value for name, value in result.items() if name != key})
    assert read_result(tmp_path) is None
    assert [f"{tmp_path / RESULT_NAME} is damaged" in message for message in caplog.messages] == [True, True]


def test_a_cut_line_of_the_quarantine_costs_that_line_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    quarantine = Quarantine(tmp_path, 0, 0.5)
    quarantine.add("training", 1, [{"sample": "a", "reason": "blank"}, {"sample": "b", "reason": "blank"}])
    with quarantine.path.open("ab") as file:
        file.truncate(quarantine.path.stat().st_size - 12)
    quarantine.add("training", 2, [{"sample": "c", "reason": "blank"}])
    with quarantine.path.open("ab") as file:
        file.write(b"\xff\xfe}\n")
    report = quarantine_report(tmp_path)
    assert [entry["sample"] for entry in report["samples"]] == ["a", "c"]
    assert report["reasons"] == {"blank": 2}
    assert caplog.messages == [f"2 damaged lines of quarantine-rank*.jsonl in {tmp_path} are left out"]
