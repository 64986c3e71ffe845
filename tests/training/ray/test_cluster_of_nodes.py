"""Runs on a cluster of several nodes that come and go, and whose processes are killed, end as if nothing had happened.

The order counts, since all run on one cluster. Ray keeps what a killed driver had asked for, three minutes long, from runs that
may grow: that case comes last, and the run that grows, which begins on one node, first.
"""

import pytest
import torch
from safetensors.torch import load_file

from tests.training.ray.trouble import (
    STEPS,
    assert_it_went_on_and_ended_the_same,
    groups,
    resumed_from,
    steps_said,
)

pytestmark = pytest.mark.slow


def test_a_run_that_starts_with_one_worker_goes_on_with_two_when_a_node_joins(case, undisturbed):
    facts = case("joining_node")
    assert groups(facts) == ["workers: 1, on 1 node", "workers: 2, on 2 nodes"]
    assert facts["steps"] == STEPS
    assert resumed_from(facts) == [step for step in resumed_from(facts) if 3 <= step < STEPS]
    mine, theirs = load_file(facts["weights"]), load_file(undisturbed)
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, atol=1e-5, rtol=1e-5)


def test_a_node_that_will_be_taken_away_costs_no_more_than_the_steps_since_the_warning(case, undisturbed):
    facts = case("preempted_node")
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    assert resumed_from(facts)[0] >= 12


def test_a_pretraining_of_two_workers_runs_on_two_nodes(case):
    facts = case("pretraining")
    assert groups(facts) == ["workers: 2, on 2 nodes"]
    assert facts["steps"] == 4
    assert steps_said(facts) == [1, 2, 3, 4]


def test_a_run_survives_a_killed_worker_then_a_node_that_is_replaced_and_then_its_driver(case, undisturbed):
    facts = case("troubled")
    assert facts["workers_then"] == 2
    assert not facts["finished_then"]
    assert facts["code"] == 0
    assert groups(facts) == 4 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    worker, node, driver = resumed_from(facts)
    assert 10 <= worker <= node <= driver
    assert node >= 15
