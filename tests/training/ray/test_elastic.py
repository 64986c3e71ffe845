"""How many workers an elastic run takes, and that a resize waits for its checkpoint; Ray's own counting is faked."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray.train

from sem3d.ray_internals.train import ElasticScalingPolicy, NoopDecision, ResizeDecision
from sem3d.runs.requests import CHECKPOINT
from sem3d.training.ray import elastic
from sem3d.training.ray.elastic import UsableSizes


def policy(folder: Path, sizes: tuple[int, ...] = (1, 2, 4)) -> UsableSizes:
    config = ray.train.ScalingConfig(num_workers=(sizes[0], sizes[-1]), resources_per_worker={"CPU": 1})
    return UsableSizes(config, sizes, folder)


@pytest.mark.parametrize(("fit", "cpus", "size"), [(4, 5, 4), (4, 4, 2), (3, 9, 2), (2, 2, 1), (1, 1, 0), (0, 9, 0)])
def test_the_size_divides_and_leaves_a_cpu_for_reading_data(tmp_path: Path, monkeypatch, fit, cpus, size):
    monkeypatch.setattr(ElasticScalingPolicy, "_count_possible_workers", lambda *arguments: fit)
    monkeypatch.setattr(elastic.ray, "cluster_resources", lambda: {"CPU": float(cpus)})
    assert policy(tmp_path)._count_possible_workers({}) == size


def test_a_resize_waits_until_the_checkpoint_is_written(tmp_path: Path, monkeypatch):
    resize = ResizeDecision(num_workers=2, resources_per_worker={"CPU": 1})
    monkeypatch.setattr(ElasticScalingPolicy, "make_decision_for_running_worker_group", lambda *arguments: resize)
    chosen = policy(tmp_path)
    assert isinstance(chosen.make_decision_for_running_worker_group(None, None), NoopDecision)
    assert CHECKPOINT.is_made(tmp_path)
    assert isinstance(chosen.make_decision_for_running_worker_group(None, None), NoopDecision)
    CHECKPOINT.clear(tmp_path)
    assert chosen.make_decision_for_running_worker_group(None, None) is resize


def test_a_resize_does_not_wait_for_ever(tmp_path: Path, monkeypatch):
    resize = ResizeDecision(num_workers=2, resources_per_worker={"CPU": 1})
    monkeypatch.setattr(ElasticScalingPolicy, "make_decision_for_running_worker_group", lambda *arguments: resize)
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
    monkeypatch.setattr(elastic, "time", clock)
    chosen = policy(tmp_path)
    assert isinstance(chosen.make_decision_for_running_worker_group(None, None), NoopDecision)
    clock.now = elastic.LONGEST_WAIT + 1.0
    assert chosen.make_decision_for_running_worker_group(None, None) is resize


def test_a_group_that_ended_otherwise_forgets_the_resize(tmp_path: Path, monkeypatch):
    resize = ResizeDecision(num_workers=2, resources_per_worker={"CPU": 1})
    monkeypatch.setattr(ElasticScalingPolicy, "make_decision_for_running_worker_group", lambda *arguments: resize)
    monkeypatch.setattr(ElasticScalingPolicy, "make_decision_for_non_running_worker_group", lambda *arguments: resize)
    chosen = policy(tmp_path)
    chosen.make_decision_for_running_worker_group(None, None)
    assert chosen.make_decision_for_non_running_worker_group() is resize
    assert not CHECKPOINT.is_made(tmp_path)
    assert chosen.announced is None
