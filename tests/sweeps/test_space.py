"""Reading a space: what does not exist is refused by name."""

import pytest

from sem3d.errors import UserError
from sem3d.sweeps.space import read_space, space_of
from tests.sweeps.sweep_toys import toy_module


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
    with pytest.raises(UserError, match="choose one of pri3d, semantic_segmentation_2d"):
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
