"""Foreseeing what a sweep takes, in closed cases."""

import os
from pathlib import Path

import pytest
import ray

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.sweeps import estimate
from sem3d.sweeps.estimate import Pace, Share, kind_of, pace_of, totals, whole_time
from sem3d.sweeps.forecast import timed
from sem3d.sweeps.progress import Watch
from sem3d.sweeps.search import steps_of
from sem3d.sweeps.trainings import Trial
from sem3d.training.ray.launch import TrainingResult
from sem3d.training.ray.preflight import Resources, check_batches
from tests.methods.tiny import tiny_experiment

SEGMENTATION = "semantic_segmentation_2d"


@pytest.fixture
def cluster(monkeypatch):
    """Set a cluster of two CPUs and of so many GPUs as the test says."""

    def has(gpus: float) -> None:
        monkeypatch.setattr(estimate, "cluster_resources", lambda: Resources(cpus=2.0, gpus=gpus))

    has(0.0)
    return has


def test_a_training_takes_its_start_its_steps_and_its_evaluations():
    pace = Pace(start=10.0, step=0.5, evaluation=3.0)
    experiment = tiny_experiment(SEGMENTATION, Path("/rooms"), Path("/runs"), schedule__steps=100)
    assert pace.seconds(experiment) == 10 + 50 + 3
    for every, evaluations in ((50, 2), (33, 4), (100, 1), (1, 100)):
        often = override(experiment, {"run.evaluate_every": every})
        assert pace.seconds(often) == 10 + 50 + 3 * evaluations


def test_a_length_in_visits_is_foreseen_in_steps(rooms, tmp_path):
    visits = {"schedule__steps": 0, "schedule__epochs": 10.0, "run__evaluate_epochs": 5.0, "data__budget": 0.5}
    experiment = tiny_experiment(SEGMENTATION, rooms, tmp_path, **visits)
    trial = Trial(key="", arm="", budget=0.5, seed=0, method=SEGMENTATION, experiment=experiment, settings={})
    assert steps_of(trial) == timed(trial).schedule.steps == 20
    assert Pace(start=10.0, step=0.5, evaluation=3.0).seconds(timed(trial)) == 10 + 10 + 2 * 3


def test_places_are_taken_as_they_become_free():
    assert whole_time([], 2) == 0
    assert whole_time([3.0, 1.0, 1.0, 1.0], 1) == 6
    assert whole_time([3.0, 1.0, 1.0, 1.0], 2) == 3
    assert whole_time([1.0, 1.0, 1.0], 2) == 2


def test_stages_follow_one_another_and_hours_are_held_ones():
    held = Resources(cpus=3.0, gpus=2.0)
    first, second = Share(seconds=3600.0, held=held), Share(seconds=1800.0, held=held)
    found = totals([[first], [second, second]], 2)
    assert found == {"seconds": 5400.0, "cpu_hours": 6.0, "gpu_hours": 4.0}


@pytest.mark.usefixtures("cluster")
def test_trainings_of_one_pace_are_of_one_kind():
    def kind(**changes):
        return kind_of(SEGMENTATION, tiny_experiment(SEGMENTATION, Path("/rooms"), Path("/runs"), **changes))

    assert kind() == kind(run__seed=3, init="imagenet", data__budget=0.5, schedule__steps=9, optim__lr=0.5)
    assert len({kind(), kind(data__height=40), kind(run__workers=2), kind(run__batch_size=8)}) == 4


def test_a_pace_on_cpus_is_none_on_gpus(cluster):
    experiment = tiny_experiment(SEGMENTATION, Path("/rooms"), Path("/runs"))
    on_cpu = kind_of(SEGMENTATION, experiment)
    cluster(1.0)
    assert kind_of(SEGMENTATION, experiment) != on_cpu
    assert kind_of(SEGMENTATION, override(experiment, {"run.workers": 2})) != on_cpu


@pytest.mark.usefixtures("cluster")
def test_a_kind_is_probed_once(tmp_path, monkeypatch):
    probed = []

    def train(_method, experiment, **_):
        probed.append(experiment)
        return TrainingResult(tmp_path, tmp_path, tmp_path, {}, "", 4, {"training": 2.0, "evaluation": 1.0})

    monkeypatch.setattr(estimate, "train", train)
    until_worse = {"schedule__steps": 500, "schedule__patience": 2, "run__evaluate_every": 50}
    experiment = tiny_experiment(SEGMENTATION, Path("/rooms"), tmp_path, **until_worse)
    first = pace_of(SEGMENTATION, experiment, 4, [].append)
    assert pace_of(SEGMENTATION, override(experiment, {"run.seed": 5}), 4, [].append) == first
    assert [one.schedule.steps for one in probed] == [4]
    check_batches(probed[0])
    assert probed[0].run.experiment != experiment.run.experiment
    assert (first.step, first.evaluation) == (0.5, 1.0)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_training_without_workers_is_probed_in_a_process_that_holds_what_its_trials_hold(tmp_path, monkeypatch):
    driver = os.getpid()

    def measured(_method, short):
        if short.data.root == "/nowhere":
            raise UserError("there is nothing")
        assert os.getpid() != driver
        assert ray.get_runtime_context().get_assigned_resources() == {"CPU": 0.5}
        return Pace(start=1.0, step=float(short.schedule.steps), evaluation=2.0)

    monkeypatch.setattr(estimate, "_timed", measured)
    leaves = {"run__workers": 0, "run__cpus_per_worker": 0.5}
    experiment = tiny_experiment(SEGMENTATION, Path("/rooms"), tmp_path, **leaves)
    assert pace_of(SEGMENTATION, experiment, 4, [].append) == Pace(start=1.0, step=4.0, evaluation=2.0)
    with pytest.raises(UserError, match=r"^there is nothing$"):
        pace_of(SEGMENTATION, override(experiment, {"data.root": "/nowhere"}), 4, [].append)
    with pytest.raises(UserError, match=r"needs 10 CPUs .*, the Ray cluster has 4"):
        pace_of(SEGMENTATION, override(experiment, {"run.cpus_per_worker": 9.0}), 4, [].append)


def test_the_time_left_follows_the_forecast_as_far_as_it_proved_right(monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr("sem3d.sweeps.progress.time.monotonic", lambda: now[0])
    seconds = {"a": 10.0, "b": 10.0, "c": 20.0}
    watch = Watch(lambda key, _: f"trial {key}", seconds, 1, lambda *_: "fine", said.append, done=2)
    watch.started("a", {})
    now[0] = 20.0
    watch.ended("a", {}, {}, "")
    assert said == ["start  trial a", "3/5  trial a: fine, 20 s, 60 s left"]
    blind = Watch(lambda key, _: key, dict.fromkeys(seconds, 0.0), 2, lambda *_: "fine", said.append, done=7)
    blind.started("a", {})
    now[0] = 40.0
    blind.ended("a", {}, {}, "")
    assert said[-1] == "8/10  a: fine, 20 s, 20 s left"


@pytest.mark.parametrize("words", [None, "fine"])
def test_what_was_asked_to_stop_does_not_count_as_done(words):
    said = []
    watch = Watch(lambda key, _: key, {"a": 1.0}, 1, lambda *_: words, said.append)
    watch.ended("a", {}, {}, "")
    assert watch.done == (words is not None)
    assert said[0].startswith("1/1" if words else "pause")
