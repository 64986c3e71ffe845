"""Ray Tune as sweeps use it: a limit on how many run at a time, and trials that fail alone."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from ray import tune

from sem3d.runs.requests import STOP
from sem3d.sweeps.tuner import RETRIES, SILENT_END, SearchTerms, run_all, search

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings("default")]


class Notes:
    def __init__(self):
        self.begun: list[str] = []
        self.over: dict[str, str] = {}

    def started(self, key, _config):
        self.begun.append(key)

    def ended(self, key, _config, _report, error):
        self.over[key] = error


@dataclass(frozen=True)
class Trouble:
    folder: Path

    def __call__(self, key: str) -> None:
        start = time.time()
        if key == "raises":
            raise ValueError("the work is bad")
        if key == "dies":
            os._exit(1)
        time.sleep(0.5)
        (self.folder / key).write_text(f"{start} {time.time()}")


def test_no_more_run_at_a_time_than_asked_and_an_error_ends_its_own_trial_only(tmp_path: Path):
    keys, notes = ["a", "raises", "b", "dies", "c", "d", "e"], Notes()
    run_all(Trouble(tmp_path), keys, tmp_path, 2, notes)
    again = ["raises", "dies"] * RETRIES
    assert sorted(notes.begun) == sorted(keys + again)
    assert notes.over.keys() == set(keys)
    assert notes.over["raises"] == notes.over["dies"] == SILENT_END
    done = {key for key, error in notes.over.items() if not error}
    assert done == set("abcde")
    spans = [tuple(map(float, (tmp_path / key).read_text().split())) for key in done]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 2
    assert not list((tmp_path / ".tune").iterdir())


@dataclass(frozen=True)
class Stopping:
    folder: Path

    def __call__(self, _key, _point, _callbacks) -> None:
        STOP.make(self.folder)


def test_a_search_that_is_asked_to_stop_begins_no_further_point(tmp_path: Path):
    notes, rates = Notes(), {"rate": tune.uniform(0.0, 1.0)}
    search(
        Stopping(tmp_path),
        lambda point: f"{point['rate']:.6f}",
        SearchTerms(distributions=rates, trials=5, metric="score", mode="max", every=1, steps=4, seed=0),
        tmp_path,
        1,
        notes,
    )
    assert len(notes.begun) == 1
    assert list(notes.over) == notes.begun
