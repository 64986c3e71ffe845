"""What is announced becomes checkpoints, once each."""

import math
import time
from pathlib import Path

from sem3d.runs.requests import CHECKPOINT
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.ray.preemption import LAST_SECONDS, CheckpointRequests
from tests.training.toy_method import ToyMethod, stream_in_process, stream_once_in_process, toy_experiment


class Clock:
    def __init__(self, now: float = 1000.0):
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_nothing_is_wanted_where_nothing_is_announced(tmp_path: Path):
    assert not CheckpointRequests(tmp_path, lambda: None)()


def test_a_request_in_the_run_folder_is_met_once_and_taken_away(tmp_path: Path):
    clock = Clock()
    requests = CheckpointRequests(tmp_path, lambda: None, clock=clock)
    CHECKPOINT.make(tmp_path)
    assert requests()
    assert CHECKPOINT.is_made(tmp_path)
    requests.meet()
    assert not CHECKPOINT.is_made(tmp_path)
    clock.now += 1.0
    assert not requests()


def test_a_node_that_goes_is_met_at_once_and_again_shortly_before(tmp_path: Path):
    clock = Clock()
    requests = CheckpointRequests(tmp_path, lambda: 1120.0, clock=clock, today=clock)
    assert requests()
    requests.meet()
    clock.now += 60.0
    assert not requests()
    clock.now = 1120.0 - LAST_SECONDS + 1.0
    assert requests()
    requests.meet()
    assert not requests()


def test_a_wall_clock_that_is_set_back_hides_neither_a_request_nor_the_time_of_a_node(tmp_path: Path):
    today, clock = Clock(1e9), Clock(50.0)
    requests = CheckpointRequests(tmp_path, lambda: 1e9 + 120.0, clock=clock, today=today)
    assert requests()
    requests.meet()
    today.now -= 3600.0
    clock.now += 60.0
    CHECKPOINT.make(tmp_path)
    assert requests()
    requests.meet()
    clock.now += 60.0 - LAST_SECONDS + 1.0
    assert requests()
    assert CheckpointRequests(tmp_path, lambda: None).clock is time.monotonic


def test_a_node_that_goes_at_an_unknown_time_is_met_once(tmp_path: Path):
    requests = CheckpointRequests(tmp_path, lambda: math.inf)
    assert requests()
    requests.meet()
    assert not requests()


def test_a_warning_makes_a_checkpoint_between_the_regular_ones_and_changes_nothing(tmp_path: Path):
    def learn(folder: Path, **announced) -> bytes:
        folder.mkdir()
        experiment = toy_experiment(folder, run={"checkpoint_every": 4, "keep": 9})
        streams = {"stream_batches": stream_in_process, "stream_once": stream_once_in_process}
        result = fit(ToyMethod, experiment, TrainingContext(run_folder=folder, **streams, **announced))
        return (Path(result["checkpoint_last"]) / "weights.safetensors").read_bytes()

    assert learn(tmp_path / "warned", reclaimed=lambda: math.inf) == learn(tmp_path / "left alone")
    saved = sorted(path.name for path in (tmp_path / "warned" / "checkpoints").glob("step-*"))
    assert saved == ["step-00000001", "step-00000004"]
