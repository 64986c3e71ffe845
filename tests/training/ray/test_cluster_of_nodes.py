"""Runs on a cluster of several nodes that meet trouble end as if they had not met it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
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
def case(tmp_path_factory) -> Iterator[Callable[[str], dict]]:
    folder = tmp_path_factory.mktemp("cluster")
    environment = {**os.environ, **QUICK, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    found: dict[str, dict] = {}
    with (folder / "script.log").open("w") as log:
        script = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "training" / "ray" / "cluster_script.py"), str(folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
        )

    def run(name: str) -> dict:
        if name not in found:
            script.stdin.write(f"{name}\n")
            answer = script.stdout.readline()
            found[name] = json.loads(answer) if answer else {"error": (folder / "script.log").read_text()[-3000:]}
            print(name, {key: value for key, value in found[name].items() if key != "lines"})
        assert "error" not in found[name], found[name]["error"]
        return found[name]

    yield run
    script.stdin.close()
    script.stdout.close()
    script.wait(60)


def resumed_from(facts: dict) -> list[int]:
    starts = [line for line in facts["lines"] if line.startswith("resuming from step")]
    return [int(line.split()[3].rstrip(":")) for line in starts]


def steps_said(facts: dict) -> list[int]:
    return [int(line.split()[1].partition("/")[0]) for line in facts["lines"] if line.startswith("step ")]


def groups(facts: dict) -> list[str]:
    return [line for line in facts["lines"] if line.startswith("workers: ")]


def assert_it_went_on_and_ended_the_same(facts: dict, undisturbed: dict) -> None:
    """The trouble came in the middle: steps before it, steps again from the checkpoint, and the last one once."""
    assert facts["steps"] == undisturbed["steps"] == 40
    resumed = resumed_from(facts)
    assert resumed
    assert all(0 < step < 40 for step in resumed)
    said = steps_said(facts)
    assert set(said) == set(range(1, 41))
    assert said.count(40) == 1
    assert Path(facts["weights"]).read_bytes() == Path(undisturbed["weights"]).read_bytes()


def test_a_pretraining_of_two_workers_runs_on_two_nodes(case):
    facts = case("pretraining")
    assert groups(facts) == ["workers: 2, on 2 nodes"]
    assert facts["steps"] == 4
    assert steps_said(facts) == [1, 2, 3, 4]


def test_a_run_survives_a_killed_worker(case):
    facts = case("killed_worker")
    assert facts["workers_then"] == 2
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, case("undisturbed"))
    assert resumed_from(facts)[0] >= 10


def test_a_run_survives_a_node_that_is_removed_and_replaced(case):
    facts = case("removed_node")
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, case("undisturbed"))
    assert resumed_from(facts)[0] >= 10


def test_a_run_whose_driver_is_killed_goes_on_with_the_same_command(case):
    facts = case("killed_driver")
    assert not facts["finished_then"]
    assert facts["code"] == 0
    assert_it_went_on_and_ended_the_same(facts, case("undisturbed"))
    assert resumed_from(facts)[0] >= 10


def test_a_run_that_starts_with_one_worker_goes_on_with_two_when_a_node_joins(case):
    facts = case("joining_node")
    assert groups(facts) == ["workers: 1, on 1 node", "workers: 2, on 2 nodes"]
    assert facts["steps"] == case("undisturbed")["steps"]
    assert resumed_from(facts) == [step for step in resumed_from(facts) if 3 <= step < 40]
    mine, theirs = (load_file(run["weights"]) for run in (facts, case("undisturbed")))
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, atol=1e-5, rtol=1e-5)


def test_a_node_that_will_be_taken_away_costs_no_more_than_the_steps_since_the_warning(case):
    facts = case("preempted_node")
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, case("undisturbed"))
    assert resumed_from(facts)[0] >= 12
