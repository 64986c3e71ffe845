"""Sweeps that train for real: one that is left alone, and one whose driver is killed twice and that ends with its table."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from mlflow.tracking import MlflowClient

from sem3d.runs.checkpoint_files import read_state
from sem3d.sweeps.forecast import Terms
from sem3d.sweeps.plan import by_content, plan
from sem3d.sweeps.records import read_effects, read_pretrainings, read_sweep, read_trials, sweep_folder
from sem3d.sweeps.run import run_sweep
from sem3d.tracking.parent_run import PARENT_TAG
from tests.sweeps.chain_toys import curriculum_request
from tests.sweeps.sweep_toys import searching_request
from tests.warm_process import WarmProcess

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings("default")]

LONGEST_WAIT = 600.0
ONE_BY_ONE = Terms(probe_steps=0, max_concurrent=1)


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, indexed_rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a sweep that was left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield run_sweep(curriculum_request(indexed_rooms, tmp_path_factory.mktemp("alone")), ONE_BY_ONE, [].append)


def start(request: str, rooms: Path, storage: Path, address: str) -> WarmProcess:
    """A driver on the cluster at ``address``."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")
    }
    environment |= {"RAY_ADDRESS": address}
    with (storage / "driver.log").open("a") as log:
        return WarmProcess("tests.sweeps.sweep_script", request, rooms, storage, environment=environment, output=log)


def kill_when(ready: Callable[[], bool], request: str, rooms: Path, storage: Path, address: str) -> None:
    driver, deadline = start(request, rooms, storage, address), time.monotonic() + LONGEST_WAIT
    while not ready():
        assert driver.poll() is None, (storage / "driver.log").read_text()
        assert time.monotonic() < deadline, (storage / "driver.log").read_text()
        time.sleep(0.05)
    driver.kill()


def table(folder: Path) -> list[tuple]:
    rows = []
    for trial in read_trials(folder):
        metrics = sorted((name, value) for name, value in trial.metrics.items() if "seconds" not in name)
        rows.append((trial.key, trial.arm, trial.budget, trial.seed, trial.status, trial.steps, *metrics))
    return rows


def test_a_chain_trains_each_part_from_the_last_checkpoint_of_the_part_before(undisturbed, indexed_rooms):
    pri3d, small = by_content(plan(curriculum_request(indexed_rooms, undisturbed.parents[1]))).pretrainings
    made = {one.key: one for one in read_pretrainings(undisturbed)}
    (trial,) = (one for one in read_trials(undisturbed) if one.arm == "curriculum")
    assert [made[one.key].status for one in (pri3d, small)] == ["finished", "finished"]
    assert (trial.status, trial.starts) == ("finished", {"init": small.key})
    for run, start in ((made[small.key].run_folder, made[pri3d.key]), (trial.run_folder, made[small.key])):
        assert json.loads((Path(run) / "config.json").read_text())["experiment"]["init"] == start.checkpoint
    sizes = {read_state(Path(one.checkpoint))["experiment"]["data.height"] for one in (made[small.key], trial)}
    assert sizes == {33, 66}


def test_a_sweep_killed_twice_ends_with_the_table_of_an_undisturbed_one(undisturbed, indexed_rooms, tmp_path):
    cluster = ray.get_runtime_context().gcs_address
    request = curriculum_request(indexed_rooms, tmp_path)
    whole, folder = plan(request), sweep_folder(tmp_path, plan(request).name)
    pretraining = tmp_path / by_content(whole).pretrainings[0].key / "checkpoints"
    kill_when(lambda: bool(list(pretraining.glob("step-*"))), "curriculum", indexed_rooms, tmp_path, cluster)
    assert read_trials(folder) == []

    def in_a_later_trial() -> bool:
        runs = [path for path in tmp_path.glob(f"{folder.name}-*/config.json")]
        return len(read_trials(folder)) >= 1 and len(runs) >= 2

    kill_when(in_a_later_trial, "curriculum", indexed_rooms, tmp_path, cluster)
    assert 1 <= len(read_trials(folder)) < 2
    assert run_sweep(request, ONE_BY_ONE, [].append) == folder
    assert table(folder) == table(undisturbed)
    assert len(table(folder)) == 2
    record = read_sweep(folder)
    client = MlflowClient(record.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert Counter(run.data.tags["stage"] for run in runs) == {"sweep": 1, "pretraining": 2, "trial": 2}
    assert {run.info.status for run in runs} == {"FINISHED"}
    children = [run for run in runs if run.data.tags.get(PARENT_TAG) == record.mlflow_run_id]
    assert {run.data.tags["trial"] for run in children if "trial" in run.data.tags} == {one.key for one in whole.trials}
    assert Counter(run.data.tags["stage"] for run in children) == {"pretraining": 2, "trial": 2}
    assert {run.info.run_name for run in children} == {one.label for one in (*whole.trials, *whole.pretrainings)}
    assert all(run.inputs.dataset_inputs[0].dataset.name == indexed_rooms.name for run in children)
    assert record.spent["seconds"] > max(trial.seconds for trial in read_trials(folder))
    effects = read_effects(folder)
    assert [effect.error for effect in effects] == ["", "", ""]
    assert {next(iter(effect.after)) for effect in effects} == {"match_rate_5px", "probe_miou_scannet"}


def test_a_search_killed_between_its_points_resumes_and_its_best_is_what_trials_use(indexed_rooms, tmp_path):
    cluster = ray.get_runtime_context().gcs_address
    request = searching_request(indexed_rooms, tmp_path)
    folder = sweep_folder(tmp_path, plan(request).name)
    points = folder / "search" / "scratch"
    kill_when(lambda: len(read_trials(points)) == 1, "searching", indexed_rooms, tmp_path, cluster)
    (first,) = read_trials(points)
    assert run_sweep(request, ONE_BY_ONE, [].append) == folder
    tried = read_trials(points)
    assert len(tried) == 2
    assert first in tried
    best = min((one for one in tried if one.status == "finished"), key=lambda one: one.metrics["loss_cross_entropy"])
    (trial,) = read_trials(folder)
    assert trial.settings["optim.lr"] == best.settings["optim.lr"]
    record = read_sweep(folder)
    client = MlflowClient(record.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert Counter(run.data.tags["stage"] for run in runs)["search"] >= 2
    assert {run.info.status for run in runs if run.data.tags["stage"] != "search"} == {"FINISHED"}
