"""A sweep whose driver is killed twice ends with the table of one that was left alone; everything is real."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from mlflow.tracking import MlflowClient

from sem3d.sweeps.forecast import Terms
from sem3d.sweeps.plan import by_content, plan
from sem3d.sweeps.records import read_effects, read_sweep, read_trials, sweep_folder
from sem3d.sweeps.run import run_sweep
from sem3d.tracking.parent_run import PARENT_TAG
from tests.sweeps.sweep_toys import searching_request, small_request

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]
LONGEST_WAIT = 600.0
ONE_BY_ONE = Terms(probe_steps=0, max_concurrent=1)


def start(request: str, rooms: Path, storage: Path, address: str) -> subprocess.Popen:
    """A driver on the cluster at ``address``."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")
    }
    environment |= {"RAY_ADDRESS": address}
    command = [sys.executable, "-m", "tests.sweeps.sweep_script", request, str(rooms), str(storage)]
    with (storage / "driver.log").open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)


def kill_when(ready: Callable[[], bool], request: str, rooms: Path, storage: Path, address: str) -> None:
    driver, deadline = start(request, rooms, storage, address), time.monotonic() + LONGEST_WAIT
    while not ready():
        assert driver.poll() is None, (storage / "driver.log").read_text()
        assert time.monotonic() < deadline, (storage / "driver.log").read_text()
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()


def table(folder: Path) -> list[tuple]:
    rows = []
    for trial in read_trials(folder):
        metrics = sorted((name, value) for name, value in trial.metrics.items() if "seconds" not in name)
        rows.append((trial.key, trial.arm, trial.budget, trial.seed, trial.status, trial.steps, *metrics))
    return rows


@pytest.mark.usefixtures("ray_cluster")
def test_a_sweep_killed_twice_ends_with_the_table_of_an_undisturbed_one(indexed_rooms, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    killed.mkdir()
    cluster = ray.get_runtime_context().gcs_address
    undisturbed = run_sweep(small_request(indexed_rooms, alone), ONE_BY_ONE, [].append)
    request = small_request(indexed_rooms, killed)
    whole, folder = plan(request), sweep_folder(killed, plan(request).name)
    pretraining = killed / by_content(whole).pretrainings[0].key / "checkpoints"
    kill_when(lambda: bool(list(pretraining.glob("step-*"))), "small", indexed_rooms, killed, cluster)
    assert read_trials(folder) == []

    def in_a_later_trial() -> bool:
        runs = [path for path in killed.glob(f"{folder.name}-*/config.json")]
        return len(read_trials(folder)) >= 1 and len(runs) >= 2

    kill_when(in_a_later_trial, "small", indexed_rooms, killed, cluster)
    assert 1 <= len(read_trials(folder)) < 2
    last = start("small", indexed_rooms, killed, cluster)
    assert last.wait(LONGEST_WAIT) == 0, (killed / "driver.log").read_text()
    assert table(folder) == table(undisturbed)
    assert len(table(folder)) == 2
    record = read_sweep(folder)
    client = MlflowClient(record.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert Counter(run.data.tags["stage"] for run in runs) == {"sweep": 1, "pretraining": 1, "trial": 2}
    assert {run.info.status for run in runs} == {"FINISHED"}
    children = [run for run in runs if run.data.tags.get(PARENT_TAG) == record.mlflow_run_id]
    assert {run.data.tags["trial"] for run in children} == {trial.key for trial in whole.trials}
    assert record.spent["seconds"] > max(trial.seconds for trial in read_trials(folder))
    effects = read_effects(folder)
    assert [effect.error for effect in effects] == ["", ""]
    assert {next(iter(effect.after)) for effect in effects} == {"match_rate_5px", "probe_miou_scannet"}


@pytest.mark.usefixtures("ray_cluster")
def test_a_search_killed_between_its_points_resumes_and_its_best_is_what_trials_use(indexed_rooms, tmp_path):
    cluster = ray.get_runtime_context().gcs_address
    request = searching_request(indexed_rooms, tmp_path)
    folder = sweep_folder(tmp_path, plan(request).name)
    points = folder / "search" / "scratch"
    kill_when(lambda: len(read_trials(points)) == 1, "searching", indexed_rooms, tmp_path, cluster)
    (first,) = read_trials(points)
    last = start("searching", indexed_rooms, tmp_path, cluster)
    assert last.wait(LONGEST_WAIT) == 0, (tmp_path / "driver.log").read_text()
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
