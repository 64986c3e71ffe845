"""The whole of training on a real local Ray cluster."""

import json
import logging
from pathlib import Path

import psutil
import pytest
import torch
from mlflow.tracking import MlflowClient
from safetensors.torch import load_file

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.files import exclusive_lock
from sem3d.runs.requests import STOP
from sem3d.training.ray.interruption import Stopped
from sem3d.training.ray.launch import TrainingResult, train
from tests.training.toy_method import ToyMethod, toy_experiment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def two_workers(train_group, tmp_path_factory) -> tuple[TrainingResult, list[str]]:
    lines: list[str] = []
    experiment = toy_experiment(tmp_path_factory.mktemp("two"), run={"workers": 2, "name": "two"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sem3d.training.ray.attempts.ElasticTrainer", train_group.trainer)
        return train(ToyMethod, experiment, say=lines.append), lines


def weights(result: TrainingResult) -> dict[str, torch.Tensor]:
    return load_file(result.checkpoint_last / "weights.safetensors")


def test_two_workers_learn_what_one_learns(two_workers, tmp_path: Path):
    one = train(ToyMethod, toy_experiment(tmp_path))
    two, _ = two_workers
    assert one.steps == two.steps == 4
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, atol=1e-6, rtol=0)
    assert two.metrics["error"] == pytest.approx(one.metrics["error"], abs=1e-6)
    assert two.metrics["evaluated"] == 10


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_two_workers_that_share_a_gpu_learn_what_one_learns_on_it(tmp_path: Path):
    one, two = (
        train(
            ToyMethod,
            toy_experiment(
                tmp_path, run={"workers": count, "device": "gpu", "gpus_per_worker": 0.5, "name": f"{count}"}
            ),
        )
        for count in (1, 2)
    )
    assert one.steps == two.steps == 4
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, atol=1e-6, rtol=0)


def test_training_in_the_calling_process_learns_the_same(two_workers, tmp_path: Path):
    here = train(ToyMethod, toy_experiment(tmp_path, run={"workers": 0}), say=[].append)
    two, _ = two_workers
    for name, value in weights(here).items():
        torch.testing.assert_close(weights(two)[name], value, atol=1e-6, rtol=0)
    assert {"start", "build", "first_batch", "training", "evaluation", "finish", "close"} == here.seconds.keys()
    assert min(here.seconds.values()) >= 0


class Preparing(ToyMethod):
    """The toy method on data that take long to open."""

    @classmethod
    def sources(cls, experiment):
        logging.getLogger("sem3d.datasets.scans.index").info("preparing 4 frames")
        return super().sources(experiment)


def test_the_preparation_of_the_data_is_said_before_anything_else(tmp_path: Path):
    lines: list[str] = []
    train(Preparing, toy_experiment(tmp_path, run={"workers": 0}), say=lines.append)
    assert lines[0] == "preparing 4 frames"


@pytest.mark.usefixtures("two_workers_wait")
def test_a_run_that_is_asked_to_stop_leaves_a_checkpoint_and_goes_on(two_workers, tmp_path: Path):
    undisturbed, _ = two_workers
    lines: list[str] = []

    def stop_at_step_1(line: str) -> None:
        lines.append(line)
        if line.startswith("step 1/4"):
            STOP.make(tmp_path / "run")

    slow = toy_experiment(
        tmp_path, method={"pause": 1.0}, run={"workers": 2, "name": "run", "log_every": 1, "checkpoint_every": 4}
    )
    with pytest.raises(Stopped, match="resumes there"):
        train(ToyMethod, slow, say=stop_at_step_1)
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) == 1
    result = train(ToyMethod, slow, say=lines.append)
    assert any(line.startswith("resuming from step") for line in lines)
    for name, value in weights(undisturbed).items():
        assert torch.equal(weights(result)[name], value), name


def test_progress_is_said_once(two_workers):
    _, lines = two_workers
    assert len([line for line in lines if line.startswith("step 4/4")]) == 1
    assert lines[-1] == "done: 4 steps, 32 samples seen, 0 unusable, 0 steps skipped"


def test_mlflow_has_the_run_once_with_metrics_and_weights(two_workers):
    result, _ = two_workers
    client = MlflowClient(f"sqlite:///{result.run_folder.parent / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert [run.info.run_id for run in runs] == [result.mlflow_run_id]
    assert runs[0].info.status == "FINISHED"
    assert {"train/loss", "validation/error", "best/error"} <= runs[0].data.metrics.keys()
    assert runs[0].data.tags["data_digest"] == "toy-32-0-0"
    assert {file.path for file in client.list_artifacts(result.mlflow_run_id)} >= {"weights", "figures", "config.json"}


def test_a_finished_run_is_not_trained_again(two_workers):
    result, _ = two_workers
    lines: list[str] = []
    experiment = toy_experiment(result.run_folder.parent, run={"workers": 2, "name": "two"})
    assert train(ToyMethod, experiment, say=lines.append) == result
    assert lines == [f"already finished: {result.run_folder}"]


def controllers() -> set[psutil.Process]:
    """Ray Train's controllers below this process; one of them may be that of the workers that wait for other tests."""
    below = psutil.Process().children(recursive=True)
    return {process for process in below if process.name().startswith("ray::TrainCont")}


def test_a_killed_controller_costs_one_of_the_failures_that_a_run_may_have(two_workers, tmp_path: Path):
    undisturbed, _ = two_workers
    lines: list[str] = []
    others = controllers()

    def kill_at_step_3(line: str) -> None:
        if line.startswith("step 3/4"):
            (victim,) = controllers() - others
            victim.kill()
            victim.wait(10)
        lines.append(line)

    run = {"name": "run", "log_every": 1, "checkpoint_every": 2, "max_failures": 1}
    experiment = toy_experiment(tmp_path, method={"pause": 1.0}, run={"workers": 2, **run})
    with pytest.raises(UserError, match=r"^Ray Train's controller died 2 times: run.max_failures are used up"):
        train(ToyMethod, experiment, say=kill_at_step_3)
    assert len([line for line in lines if line.startswith("Ray Train's controller died")]) == 1
    assert any(line.startswith("resuming from step 2") for line in lines)
    result = train(ToyMethod, override(experiment, {"run.workers": 0}), say=lines.append)
    for name, value in weights(undisturbed).items():
        torch.testing.assert_close(weights(result)[name], value, atol=1e-6, rtol=0)


def test_an_error_of_the_user_on_one_worker_ends_the_run_on_one_line(tmp_path: Path):
    experiment = toy_experiment(tmp_path, method={"user_error_step": 1, "user_error_rank": 1}, run={"workers": 2})
    with pytest.raises(UserError, match=r"^the toy is broken: fix it$"):
        train(ToyMethod, experiment)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]
    folder = next(path for path in tmp_path.iterdir() if (path / "config.json").is_file())
    assert json.loads((folder / "config.json").read_text())["method"] == "ToyMethod"


def test_a_run_that_another_process_trains_is_left_alone(two_workers):
    result, _ = two_workers
    storage, settings = result.run_folder.parent, result.run_folder / "config.json"
    before = settings.read_bytes()
    (result.run_folder / "result.json").rename(storage / "result.json")  # as long as it is at work it has none
    with exclusive_lock(storage, "two"), pytest.raises(UserError, match="two is being run by another process"):
        train(ToyMethod, toy_experiment(storage, run={"name": "two", "log_every": 7, "workers": 2}))
    (storage / "result.json").rename(result.run_folder / "result.json")
    assert settings.read_bytes() == before
