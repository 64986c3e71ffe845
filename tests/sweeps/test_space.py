"""Reading a space: what does not exist is refused by name."""

from math import inf
from pathlib import Path

import pytest

from sem3d.errors import UserError
from sem3d.methods import METHODS
from sem3d.sweeps import space as spaces
from sem3d.sweeps.plan import plan
from sem3d.sweeps.space import default_space, read_space, space_names, space_of
from tests.sweeps.chain_toys import Distillation, register_distillation
from tests.sweeps.sweep_toys import toy_module, toy_request


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SETTINGS": {"optim.learning_rate": 1}}, r"unknown setting 'optim.learning_rate'"),
        ({"BUDGET": "data.labels"}, r"has no setting data.labels"),
        ({"SEED_LEAVES": ("run.seed", "data.seed")}, r"has no setting data.seed"),
        ({"SEARCH": {"optim.rate": None}}, r"has no setting optim.rate"),
        ({"SEARCH": {"method.unet.dim": None}}, r"searches method.unet.dim, which pretrainings share"),
        ({"PRESET": "huge"}, r"unknown preset 'huge'"),
        ({"METHOD": "magic"}, r"unknown method 'magic'"),
        ({"ARMS": {"odd": {"setings": {}}}}, r"^arm 'odd' of space toy: unknown keys: setings"),
        ({"ARMS": {"odd": {"settings": {"data.matches": 3}}}}, r"^arm 'odd' of space toy: unknown setting"),
        (
            {"ARMS": {"odd": {"pretrain": {"method": "pri3d", "settings": {"data.budget": 1}}}}},
            r"^pretraining pri3d of arm 'odd' of space toy: unknown setting 'data.budget'",
        ),
    ],
)
def test_what_does_not_exist_is_refused_by_name(changes, words):
    with pytest.raises(UserError, match=words):
        space_of(toy_module(**changes))


def test_an_unknown_space_or_arm_is_refused_with_the_known_names():
    with pytest.raises(UserError, match=r"choose one of .*, ppkt, .*pri3d, "):
        read_space("cooking")
    with pytest.raises(UserError, match="choose from scratch, pri3d"):
        space_of(toy_module()).arm("imagenet")


def test_a_preset_of_the_command_replaces_that_of_every_method():
    pri3d = space_of(toy_module(), "paper").arm("pri3d")
    assert pri3d.trained.preset == pri3d.pretrainings[0].preset == "paper"


def test_an_arm_may_be_of_another_method():
    arms = {"segmentation": {}, "pri3d": {"method": "pri3d", "settings": {"init": "scratch"}}}
    space = space_of(toy_module(ARMS=arms, BUDGET="data.height", SEED_LEAVES=("run.seed",)))
    assert [arm.trained.method for arm in space.arms] == ["semantic_segmentation_2d", "pri3d"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("pri3d", ""),
        ("ppkt", ""),
        ("pixel_semantics", ""),
        ("ssr", "labelled object"),
        ("semantic_srn", "labelled mask"),
        ("semantic_srn_masks", "observed view"),
    ],
)
def test_a_space_says_what_its_budgets_count(name, unit):
    assert read_space(name).budget_unit == unit


def test_a_budget_of_a_whole_number_counts_items_where_the_data_do_not_say_what():
    assert space_of(toy_module(BUDGET="run.max_nonfinite")).budget_unit == "labelled item"


def test_a_registered_method_without_a_module_has_a_space_of_its_own(monkeypatch):
    register_distillation(monkeypatch)
    assert "distillation" in space_names()
    assert not {"distillation"} & set(spaces.written_spaces())
    space = read_space("distillation")
    (arm,) = space.arms
    assert (arm.name, arm.trained.method, arm.trained.preset, arm.trained.seed_leaves) == (
        "distillation",
        "distillation",
        "laptop",
        ("run.seed",),
    )
    assert (space.budget, space.budgets, space.seeds) == ("", (1.0,), 3)
    assert (space.metric, space.mode) == Distillation.score
    assert read_space("distillation", "paper").arms[0].trained.preset == "paper"
    with pytest.raises(UserError, match="unknown preset 'huge' of distillation"):
        read_space("distillation", "huge")


def test_a_method_without_a_label_budget_is_compared_over_seeds_alone(monkeypatch):
    register_distillation(monkeypatch)
    request = toy_request(Path("/nowhere"), Path("/nowhere"), space=read_space("distillation"))
    assert [(trial.budget, trial.seed) for trial in plan(request).trials] == [(1.0, 0), (1.0, 1), (1.0, 2)]
    assert [trial.experiment.run.seed for trial in plan(request).trials] == [0, 1, 2]
    with pytest.raises(UserError, match="distillation has no label budget: leave --budgets out"):
        plan(toy_request(Path("/nowhere"), Path("/nowhere"), space=read_space("distillation"), budgets=(0.5,)))


@pytest.mark.parametrize(
    ("leaf", "budgets"), [("data.budget", (1.0,)), ("run.batch_size", (8.0,)), ("run.evaluate_every", (inf,))]
)
def test_the_default_budget_is_all_of_a_share_or_the_presets_own_number(leaf, budgets, monkeypatch):
    register_distillation(monkeypatch)
    monkeypatch.setattr(Distillation, "label_budget", leaf, raising=False)
    space = default_space("distillation")
    assert (space.budget, space.budgets) == (leaf, budgets)


def test_a_label_budget_that_is_no_leaf_is_refused_and_every_method_has_a_default_space(monkeypatch):
    for method in METHODS:
        assert default_space(method).arms[0].trained.experiment()
    register_distillation(monkeypatch)
    monkeypatch.setattr(Distillation, "label_budget", "data.labels", raising=False)
    with pytest.raises(UserError, match=r"^default space of distillation: distillation has no setting data.labels"):
        default_space("distillation")
