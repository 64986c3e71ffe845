import signal
import time
from pathlib import Path

import numpy as np
import pytest

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.tracking.run import SPOOL_NAME, MlflowTracker, close_run, open_run, write_what_waits
from sem3d.tracking.spool import Spool
from sem3d.tracking.store import store_client
from tests.tracking.mlflow_server import Server
from tests.training.toy_method import toy_experiment
from tests.warm_process import WarmProcess

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _no_server(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_run_is_found_again_and_goes_on(tmp_path: Path):
    experiment = toy_experiment(tmp_path)
    uri, run_id = open_run(experiment, tmp_path / "mine", {"method": "toy"})
    tracking = MlflowTracker(uri, run_id, tmp_path / "mine")
    tracking.metrics({"train/loss": 3.0}, 1)
    tracking.metrics({"train/loss": 2.0}, 2)
    tracking.flush()
    again = override(experiment, {"run.workers": 2})
    assert open_run(again, tmp_path / "mine", {"workers": "2"}) == (uri, run_id)
    resumed = MlflowTracker(uri, run_id, tmp_path / "mine")
    resumed.metrics({"train/loss": 2.0}, 2)
    resumed.metrics({"train/loss": 1.0}, 3)
    resumed.figure("grey", np.zeros((4, 4, 3), np.uint8), 3)
    resumed.flush()
    close_run(uri, run_id, tmp_path / "mine", "FINISHED")
    run = resumed.client.result().get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["optim.lr"] == "0.05"
    assert run.data.params["run.workers"] == "1"
    assert run.data.tags["workers"] == "2"
    assert run.data.tags["method"] == "toy"
    assert {"git_revision", "version.torch", "version.ray", "version.mlflow"} <= run.data.tags.keys()
    history = resumed.client.result().get_metric_history(run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [file.path for file in resumed.client.result().list_artifacts(run_id, "figures")] == [
        "figures/step-00000003"
    ]
    assert (tmp_path / "artifacts" / run_id).is_dir()


def waiting(run_folder: Path) -> list[dict]:
    return [record for _, record in Spool(run_folder / SPOOL_NAME).waiting(1000)]


def test_everything_waits_in_the_run_folder_while_the_store_is_unavailable(tmp_path: Path, monkeypatch):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")

    def unavailable(*arguments, **options):
        raise ConnectionError("nobody there")

    tracking = MlflowTracker(uri, run_id, tmp_path / "mine")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowTracker, "_send", unavailable)
        tracking.metrics({"train/loss": 3.0}, 1)
        tracking.tags({"initial_weights": "new"})
        tracking.value("quarantine", {"bad": ["row 1"]})
        tracking.figure("grey", np.zeros((4, 4, 3), np.uint8), 3)
        tracking.file(weights, "weights/last")
        tracking.flush()
        close_run(uri, run_id, tmp_path / "mine", "FINISHED")
    weights.unlink()
    assert "training continues" in (tmp_path / "mine" / "progress.log").read_text()
    assert [entry["kind"] for entry in waiting(tmp_path / "mine")] == [
        *["metrics", "tags", "value"],
        *["file", "file", "status"],
    ]
    write_what_waits("", run_id, tmp_path / "mine")
    assert waiting(tmp_path / "mine") == []
    client = store_client(uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["train/loss"] == 3.0
    assert run.data.tags["initial_weights"] == "new"
    assert {file.path for file in client.list_artifacts(run_id)} == {"quarantine.json", "figures", "weights"}
    assert Path(client.download_artifacts(run_id, "weights/last/weights.safetensors")).read_bytes() == b"weights"


def test_an_attempt_that_repeats_steps_which_still_wait_writes_them_once(tmp_path: Path, monkeypatch):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    with monkeypatch.context() as patch:
        patch.setattr(MlflowTracker, "_send", lambda *arguments: time.sleep(60))
        for step in (1, 2, 3):
            MlflowTracker(uri, run_id, tmp_path / "mine").spool.add(
                {"kind": "metrics", "points": [("train/loss", 4.0 - step, step, step)]}
            )
    resumed = MlflowTracker(uri, run_id, tmp_path / "mine")
    for step in (2, 3, 4):
        resumed.metrics({"train/loss": 4.0 - step}, step)
    resumed.flush()
    history = resumed.client.result().get_metric_history(run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.0)]


def test_an_old_end_does_not_close_a_run_that_goes_on(tmp_path: Path):
    experiment = toy_experiment(tmp_path)
    uri, run_id = open_run(experiment, tmp_path / "mine", {})
    Spool(tmp_path / "mine" / SPOOL_NAME).add({"kind": "status", "value": "FAILED"})
    assert open_run(experiment, tmp_path / "mine", {}) == (uri, run_id)
    MlflowTracker(uri, run_id, tmp_path / "mine").flush()
    assert store_client(uri).get_run(run_id).info.status == "RUNNING"


def test_what_the_store_refuses_does_not_hold_up_the_rest(tmp_path: Path):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    tracking = MlflowTracker(uri, run_id, tmp_path / "mine")
    tracking.metrics({"train/loss": 3.0}, 1)
    tracking.metrics({"not: a name?": 3.0}, 1)
    tracking.metrics({"train/loss": 2.0}, 2)
    tracking.flush()
    assert "MLflow refuses" in (tmp_path / "mine" / "progress.log").read_text()
    assert store_client(uri).get_run(run_id).data.metrics == {"train/loss": 2.0}


def started_writer(*arguments: object) -> WarmProcess:
    return WarmProcess("tests.tracking.writer", *arguments, piped=True)


def let_write(writer: WarmProcess, steps: int) -> None:
    for _ in range(steps):
        assert writer.stdout.readline()
        writer.stdin.write("\n")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_workers")
def test_a_file_for_which_another_bars_the_way_does_not_hold_up_the_rest(tmp_path: Path):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    (tmp_path / "note.txt").write_text("read me")
    tracking = MlflowTracker(uri, run_id, tmp_path / "mine")
    tracking.file(tmp_path / "note.txt")
    tracking.file(tmp_path / "note.txt", "note.txt")
    tracking.file(tmp_path / "note.txt", "note.txt/below")
    tracking.tags({"device": "cpu"})
    tracking.flush()
    assert waiting(tmp_path / "mine") == []
    assert (tmp_path / "mine" / "progress.log").read_text().count("which is left out") == 2
    assert tracking.client.result().get_run(run_id).data.tags["device"] == "cpu"


def test_artifacts_that_have_no_folder_wait(tmp_path: Path):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    (tmp_path / "note.txt").write_text("read me")
    (tmp_path / "artifacts").write_text("in the way")
    tracking = MlflowTracker(uri, run_id, tmp_path / "mine")
    tracking.file(tmp_path / "note.txt", "below")
    tracking.flush()
    assert [entry["kind"] for entry in waiting(tmp_path / "mine")] == ["file"]


def test_a_server_that_is_killed_in_mid_run_gets_everything_once_when_it_is_back(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = Server(tmp_path)
    try:
        server.start()
        experiment = toy_experiment(tmp_path, run={"tracking_uri": server.uri})
        run_id = open_run(experiment, tmp_path / "mine", {})[1]
        with started_writer(server.uri, run_id, tmp_path / "mine", 1, 41, "kill") as writer:
            let_write(writer, 19)  # step 20 is written meanwhile, step 21 is not begun
            while not store_client(server.uri).get_metric_history(run_id, "train/loss"):
                time.sleep(0.2)
            server.kill()
            let_write(writer, 21)
        assert writer.returncode == -signal.SIGKILL
        assert [entry["points"][0][3] for entry in waiting(tmp_path / "mine") if "points" in entry][-20:] == [
            *range(21, 41)
        ]
        server.start()
        with started_writer(server.uri, run_id, tmp_path / "mine", 31, 51, "flush") as resumed:
            let_write(resumed, 20)
        assert resumed.returncode == 0
        close_run(server.uri, run_id, tmp_path / "mine", "FINISHED")
        client = store_client(server.uri)
        history = client.get_metric_history(run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == [(step, 1.0 / step) for step in range(1, 51)]
        assert len(client.get_metric_history(run_id, "train/lr")) == 50
        assert len(client.list_artifacts(run_id, "values")) == 5
        assert client.get_run(run_id).info.status == "FINISHED"
        assert waiting(tmp_path / "mine") == []
    finally:
        server.kill()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_workers")
def test_four_processes_on_one_sqlite_store_lose_no_metric(tmp_path: Path):
    runs = []
    for number in range(4):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        runs.append((*open_run(toy_experiment(tmp_path), folder, {}), folder))
    writers = [started_writer(*run, 1, 101, "flush") for run in runs]
    for writer in writers:
        writer.stdin.write("\n" * 100)
    for writer in writers:
        with writer:
            assert writer.wait(120) == 0
    for uri, run_id, folder in runs:
        history = store_client(uri).get_metric_history(run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == [(step, 1.0 / step) for step in range(1, 101)]
        assert waiting(folder) == []
        assert not (folder / "progress.log").exists()


def test_a_server_that_is_not_there_is_an_error_on_one_line(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    experiment = toy_experiment(tmp_path, run={"tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(UserError, match=r"MLflow store http://127\.0\.0\.1:9 cannot be used") as raised:
        open_run(experiment, tmp_path / "mine", {})
    assert "\n" not in str(raised.value)
