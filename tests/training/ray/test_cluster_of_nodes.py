"""Runs on a cluster of several nodes whose processes are killed end as if nothing had happened."""

import pytest

from tests.training.ray.trouble import assert_it_went_on_and_ended_the_same, groups, resumed_from, steps_said

pytestmark = pytest.mark.slow


def test_a_pretraining_of_two_workers_runs_on_two_nodes(case):
    facts = case("pretraining")
    assert groups(facts) == ["workers: 2, on 2 nodes"]
    assert facts["steps"] == 4
    assert steps_said(facts) == [1, 2, 3, 4]


def test_a_run_survives_a_killed_worker(case, undisturbed):
    facts = case("killed_worker")
    assert facts["workers_then"] == 2
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    assert resumed_from(facts)[0] >= 10


def test_a_run_whose_driver_is_killed_goes_on_with_the_same_command(case, undisturbed):
    facts = case("killed_driver")
    assert not facts["finished_then"]
    assert facts["code"] == 0
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    assert resumed_from(facts)[0] >= 10
