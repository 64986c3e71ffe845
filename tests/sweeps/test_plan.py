"""The plan of a sweep: a fair comparison, every training named by what is asked of it."""

import dataclasses
from pathlib import Path

import pytest

from sem3d.config import flatten
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.sweeps.plan import plan, trial_of
from sem3d.sweeps.space import space_of
from tests.sweeps.sweep_toys import toy_module, toy_request

NOWHERE = Path("/nowhere")


def test_every_trial_has_a_key_of_its_own_that_does_not_depend_on_where_it_runs():
    here = plan(toy_request(NOWHERE, Path("/here")))
    there = plan(toy_request(NOWHERE, Path("/there"), {"run.workers": 2, "run.keep": 5}))
    keys = [trial.key for trial in here.trials]
    assert len(set(keys)) == len(keys) == 8
    assert [trial.key for trial in there.trials] == keys
    assert there.name == here.name
    assert {trial.experiment.run.name for trial in here.trials} == {f"{here.name}-{key}" for key in keys}


@pytest.mark.parametrize("change", [{"schedule.steps": 5}, {"optim.lr": 0.5}, {"data.height": 32}])
def test_what_decides_a_result_decides_the_key(change):
    ours, theirs = (plan(toy_request(NOWHERE, NOWHERE, changes)) for changes in ({}, change))
    assert not {trial.key for trial in ours.trials} & {trial.key for trial in theirs.trials}
    assert ours.name != theirs.name


def test_settings_of_a_pretraining_decide_the_keys_of_those_that_start_from_it_only():
    ours, theirs = (
        plan(toy_request(NOWHERE, NOWHERE, pretraining_settings={"schedule.steps": steps})) for steps in (4, 5)
    )
    for mine, other in zip(ours.trials, theirs.trials, strict=True):
        assert (mine.key == other.key) == (mine.arm == "scratch")


def test_a_pretraining_is_planned_once_for_all_budgets_and_once_in_all_where_seeds_do_not_matter():
    assert [item.seed for item in plan(toy_request(NOWHERE, NOWHERE)).pretrainings] == [0, 1]
    shared = {"pri3d": {"pretrain": {"method": "pri3d"}}, "again": {"pretrain": {"method": "pri3d"}}}
    whole = plan(toy_request(NOWHERE, NOWHERE, space=space_of(toy_module(ARMS=shared))))
    assert len(whole.pretrainings) == 1
    assert len(whole.trials) == 8


def test_a_pretraining_takes_data_and_network_from_its_trial():
    changes = {"method.unet.dim": 24, "data.prepare.stride": 7}
    trial = plan(toy_request(Path("/rooms"), NOWHERE, changes)).trials[1]
    assert trial.arm == "pri3d"
    ours, theirs = flatten(trial.experiment), flatten(trial.starts["init"].experiment)
    for leaf in ("data.root", "data.prepare.stride", "method.unet.dim", "run.storage"):
        assert ours[leaf] == theirs[leaf]
    assert trial.starts["init"].experiment.run.name == ""
    assert trial.settings["init"] == trial.starts["init"].key


def test_scores_of_frozen_weights_are_other_trials_of_the_same_pretrainings():
    request = toy_request(NOWHERE, NOWHERE)
    trained, frozen = plan(request), plan(dataclasses.replace(request, frozen=True))
    assert not {trial.key for trial in trained.trials} & {trial.key for trial in frozen.trials}
    assert [one.key for one in trained.pretrainings] == [one.key for one in frozen.pretrainings]
    assert [list(whole.pretrainings[0].effects) for whole in (trained, frozen)] == [
        ["match rate", "probe"],
        ["match rate"],
    ]


def test_what_the_sweep_varies_cannot_be_set():
    for leaf in ("data.budget", "run.seed", "data.budget_seed"):
        with pytest.raises(UserError, match=f"{leaf} is what the sweep varies"):
            plan(toy_request(NOWHERE, NOWHERE, {leaf: 1}))


@pytest.mark.parametrize("budgets", [(0.5, 1.0), (1.0,)])
def test_a_list_of_labelled_items_is_refused_since_it_is_the_same_for_every_budget_and_seed(budgets):
    with pytest.raises(UserError, match=r"data.budget_list makes one labelled set of every budget and seed"):
        plan(toy_request(NOWHERE, NOWHERE, {"data.budget_list": "/lists/20.txt"}, budgets=budgets))


def test_a_budget_may_count_items_and_then_is_a_whole_number():
    space = space_of(toy_module(BUDGET="run.max_nonfinite"))
    request = toy_request(NOWHERE, NOWHERE, space=space)
    assert trial_of(request, "scratch", 20.0, 0, {}).experiment.run.max_nonfinite == 20
    everything = trial_of(request, "scratch", float("inf"), 0, {})
    assert everything.experiment.run.max_nonfinite == 0
    assert everything.label == "scratch, budget all, seed 0"
    for budget in (0.5, 0.0, -1.0, float("-inf"), float("nan")):
        with pytest.raises(UserError, match="must be a whole number from 1"):
            trial_of(request, "scratch", budget, 0, {})


def test_where_all_is_labelled_an_arm_that_needs_the_rest_is_left_out_and_a_search_takes_the_largest_number():
    module = toy_module(BUDGET="run.max_nonfinite")
    module.ARMS = {"scratch": module.ARMS["scratch"], "other": module.ARMS["scratch"] | {"needs_unlabelled": True}}
    budgets = (2.0, 5.0, float("inf"))
    request = toy_request(
        NOWHERE, NOWHERE, space=space_of(module), arms=("scratch", "other"), budgets=budgets, seeds=(0,)
    )
    assert [(trial.arm, trial.budget) for trial in plan(request).trials if trial.budget > 2] == [
        ("scratch", 5.0),
        ("other", 5.0),
        ("scratch", float("inf")),
    ]
    assert request.budget_of_search == 5.0


def test_a_sweep_keeps_its_name_with_what_a_search_finds_and_its_trials_do_not_keep_their_keys():
    request = dataclasses.replace(toy_request(NOWHERE, NOWHERE), name="mine")
    before, after = plan(request), plan(request, {"scratch": {"optim.lr": 0.5}})
    assert before.name == after.name == "mine"
    for old, new in zip(before.trials, after.trials, strict=True):
        assert (old.key == new.key) == (old.arm != "scratch")


def test_a_name_that_is_no_folder_name_is_refused():
    with pytest.raises(UserError, match="plain folder name"):
        plan(toy_request(NOWHERE, NOWHERE, name="../elsewhere"))


def test_every_arm_at_one_budget_and_seed_sees_the_same_labelled_samples(rooms, tmp_path):
    request = toy_request(rooms, tmp_path, {"data.budget_unit": "frame"}, budgets=(0.25, 0.5, 1.0))
    seen = {}
    for trial in plan(request).trials:
        rows = method_class(trial.method).sources(trial.experiment)["train"].table
        names = frozenset(zip(rows["scene"].to_pylist(), rows["frame"].to_pylist(), strict=True))
        assert len(names) == round(trial.budget * 16)
        assert seen.setdefault((trial.budget, trial.seed), names) == names
    assert seen[0.25, 0] < seen[0.5, 0] < seen[1.0, 0]
    assert seen[0.25, 0] != seen[0.25, 1]
