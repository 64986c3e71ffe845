"""A cluster of several nodes in a process of its own, and the run without trouble that all others must equal."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pair import Pair
from tests.training.ray.trouble import experiment_in_trouble, learn_without_ray
from tests.warm_process import ROOT, WarmProcess

QUICK = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "8",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.3",
    "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "1",
}
"""Ray's defaults wait 15 s for a silent node and 60 s for workers that do not start."""


@pytest.fixture(scope="module")
def case(
    quick_workers: None, indexed_rooms: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], dict]]:
    """Runs a case of ``cluster_script.py`` by its name and returns what it answers."""
    folder = tmp_path_factory.mktemp("cluster")
    environment = {**os.environ, **QUICK, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    with (folder / "script.log").open("w") as log:
        script = WarmProcess(
            "tests.training.ray.cluster_script", folder, indexed_rooms, environment=environment, output=log, piped=True
        )

    def run(name: str) -> dict:
        script.stdin.write(f"{name}\n")
        answer = script.stdout.readline()
        facts = json.loads(answer) if answer else {"error": (folder / "script.log").read_text()[-3000:]}
        print(name, {key: value for key, value in facts.items() if key != "lines"})
        assert "error" not in facts, facts["error"]
        return facts

    yield run
    script.stdin.close()
    script.stdout.close()
    script.wait(60)


@pytest.fixture(scope="module")
def undisturbed(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that two processes learn which no trouble befalls."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return Path(pair(learn_without_ray, folder, experiment_in_trouble(folder, "undisturbed"))[0])
