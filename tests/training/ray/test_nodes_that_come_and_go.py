"""Runs whose nodes come and go end as those on nodes that stay.

No driver is killed on this cluster: Ray keeps what such a one had asked for, three minutes long, from runs that may grow.
"""

import pytest
import torch
from safetensors.torch import load_file

from tests.training.ray.trouble import STEPS, assert_it_went_on_and_ended_the_same, groups, resumed_from

pytestmark = pytest.mark.slow


def test_a_run_that_starts_with_one_worker_goes_on_with_two_when_a_node_joins(case, undisturbed):
    facts = case("joining_node")
    assert groups(facts) == ["workers: 1, on 1 node", "workers: 2, on 2 nodes"]
    assert facts["steps"] == STEPS
    assert resumed_from(facts) == [step for step in resumed_from(facts) if 3 <= step < STEPS]
    mine, theirs = load_file(facts["weights"]), load_file(undisturbed)
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, atol=1e-5, rtol=1e-5)


def test_a_run_survives_a_node_that_is_removed_and_replaced(case, undisturbed):
    facts = case("removed_node")
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    assert resumed_from(facts)[0] >= 10


def test_a_node_that_will_be_taken_away_costs_no_more_than_the_steps_since_the_warning(case, undisturbed):
    facts = case("preempted_node")
    assert groups(facts) == 2 * ["workers: 2, on 2 nodes"]
    assert_it_went_on_and_ended_the_same(facts, undisturbed)
    assert resumed_from(facts)[0] >= 12
