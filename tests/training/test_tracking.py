from pathlib import Path

import numpy as np
import pytest

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.training.tracking import Tracking, close_run, open_run
from tests.training.toy_method import toy_experiment

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _no_server(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_run_is_found_again_and_goes_on(tmp_path: Path):
    experiment = toy_experiment(tmp_path)
    uri, run_id = open_run(experiment, tmp_path / "mine", {"method": "toy"})
    tracking = Tracking(uri, run_id, tmp_path / "mine")
    tracking.metrics({"train/loss": 3.0}, 1)
    tracking.metrics({"train/loss": 2.0}, 2)
    tracking.flush()
    again = override(experiment, {"run.workers": 2})
    assert open_run(again, tmp_path / "mine", {"workers": "2"}) == (uri, run_id)
    resumed = Tracking(uri, run_id, tmp_path / "mine")
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


def test_metrics_wait_in_the_run_folder_while_the_store_is_away(tmp_path: Path, monkeypatch):
    uri, run_id = open_run(toy_experiment(tmp_path), tmp_path / "mine", {})
    tracking = Tracking(uri, run_id, tmp_path / "mine")

    def away(*arguments, **options):
        raise ConnectionError("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client.result(), "log_batch", away)
        tracking.metrics({"train/loss": 3.0}, 1)
        tracking.flush()
    assert "training goes on" in (tmp_path / "mine" / "progress.log").read_text()
    assert (tmp_path / "mine" / "metrics-pending.json").is_file()
    Tracking(uri, run_id, tmp_path / "mine").flush()
    assert not (tmp_path / "mine" / "metrics-pending.json").exists()
    assert tracking.client.result().get_run(run_id).data.metrics["train/loss"] == 3.0


def test_a_server_that_is_not_there_is_an_error_on_one_line(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    experiment = toy_experiment(tmp_path, run={"tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(UserError, match=r"MLflow store http://127\.0\.0\.1:9 cannot be used") as raised:
        open_run(experiment, tmp_path / "mine", {})
    assert "\n" not in str(raised.value)
