"""Arms that start from chains of pretrainings: how they are planned, shared, and named."""

from pathlib import Path

import pytest

from sem3d.config import flatten
from sem3d.errors import UserError
from sem3d.sweeps import plan as planning
from sem3d.sweeps.plan import by_content, plan
from sem3d.sweeps.space import space_of
from sem3d.sweeps.trainings import ancestors, lineage
from tests.sweeps.chain_toys import CHAIN, FORK, PRI3D, SINGLE, STUDENT, chain_request, register_distillation
from tests.sweeps.sweep_toys import TINY_PRETRAINING, toy_module

NOWHERE = Path("/nowhere")


@pytest.fixture(autouse=True)
def _distillation(monkeypatch):
    register_distillation(monkeypatch)


def test_each_pretraining_of_a_chain_goes_into_its_leaf_of_the_next_training():
    whole = plan(chain_request(NOWHERE, NOWHERE))
    (trial,) = whole.trials
    (student,) = trial.starts.values()
    (teacher,) = student.starts.values()
    assert (list(trial.starts), list(student.starts), teacher.starts) == (["init"], ["method.teacher"], {})
    assert [one.method for one in whole.pretrainings] == ["pri3d", "distillation"]
    assert whole.waves == ((teacher,), (student,))
    assert trial.settings["init"] == student.key
    assert lineage(trial) == f"init from {student.key} (method.teacher from {teacher.key})"
    assert student.label == "pretraining distillation for distilled, seed 0"


def test_one_training_may_take_several_results():
    whole = plan(chain_request(NOWHERE, NOWHERE, {"forked": FORK}))
    teacher, start, student = whole.pretrainings
    assert [one.name for one in whole.pretrainings] == ["teacher", "start", "student"]
    assert student.starts == {"method.teacher": teacher, "init": start}
    assert whole.waves == ((teacher, start), (student,))
    assert lineage(whole.trials[0]) == (
        f"init from {student.key} (method.teacher from {teacher.key}, init from {start.key})"
    )


def test_a_list_of_one_is_the_same_as_one():
    alone, listed = (
        plan(chain_request(NOWHERE, NOWHERE, {"pri3d": {"pretrain": pretrain}})) for pretrain in (PRI3D, [PRI3D])
    )
    assert listed == alone


def test_what_a_pretraining_learns_decides_the_keys_of_all_that_come_after_it_and_of_none_before():
    def keys(**leaves):
        asked = TINY_PRETRAINING | {leaf.replace("__", "."): value for leaf, value in leaves.items()}
        whole = plan(chain_request(NOWHERE, NOWHERE, pretraining_settings=asked))
        return [one.key for one in (*whole.pretrainings, *whole.trials)]

    ours, first, second = keys(), keys(data__matches=8), keys(data__mirror_probability=0.25)
    assert [mine == other for mine, other in zip(ours, first, strict=True)] == [False, False, False]
    assert [mine == other for mine, other in zip(ours, second, strict=True)] == [True, False, False]
    assert keys(method__teacher="elsewhere") == ours


def test_pretrainings_are_shared_by_arms_as_far_as_their_chains_are_the_same():
    whole = plan(chain_request(NOWHERE, NOWHERE, {"pri3d": SINGLE, "distilled": CHAIN, "again": CHAIN, "forked": FORK}))
    by_arm = {trial.arm: [one.key for one in ancestors(trial)] for trial in whole.trials}
    assert by_arm["pri3d"] == by_arm["distilled"][:1] == by_arm["forked"][:1]
    assert by_arm["distilled"] == by_arm["again"]
    assert len(whole.pretrainings) == 4
    assert [one.arm for one in whole.pretrainings] == ["pri3d", "distilled", "forked", "forked"]


def test_a_chain_without_seeds_is_made_once_and_one_that_starts_from_a_seed_once_a_seed():
    seedless = {key: value for key, value in STUDENT.items() if key != "seed_leaves"}
    once = {"pretrain": [{"method": "pri3d", "into": "method.teacher"}, seedless]}
    by_seed = {"pretrain": [PRI3D | {"into": "method.teacher"}, seedless]}
    for arm, count in ((once, 2), (by_seed, 2 * 3)):
        assert len(plan(chain_request(NOWHERE, NOWHERE, {"arm": arm}, seeds=(0, 1, 2))).pretrainings) == count


def test_other_data_give_other_names_down_the_chain(monkeypatch):
    def names(content):
        monkeypatch.setattr(planning, "data_digest", lambda method, _: content.get(method.__name__, "same"))
        whole = by_content(plan(chain_request(NOWHERE, NOWHERE)))
        assert [one.experiment.run.name for one in whole.pretrainings] == [one.key for one in whole.pretrainings]
        (trial,) = whole.trials
        assert (trial.starts["init"], trial.settings["init"]) == (whole.pretrainings[1], whole.pretrainings[1].key)
        return [one.key for one in whole.pretrainings]

    ours = names({})
    assert names({}) == ours
    first, second = names({"Pri3D": "other"}), names({"Distillation": "other"})
    assert [mine == other for mine, other in zip(ours, first, strict=True)] == [False, False]
    assert [mine == other for mine, other in zip(ours, second, strict=True)] == [True, False]


def test_the_same_data_elsewhere_give_the_same_names_down_the_chain(monkeypatch):
    monkeypatch.setattr(planning, "data_digest", lambda *_: "same")
    here, there = (by_content(plan(chain_request(Path(place), NOWHERE))) for place in ("/here", "/there"))
    assert [one.key for one in here.pretrainings] == [one.key for one in there.pretrainings]
    assert {one.experiment.data.root for one in there.pretrainings} == {"/there"}


def test_a_pretraining_takes_shared_leaves_from_the_training_it_is_for_else_from_those_after_it():
    second = PRI3D | {"name": "second", "settings": {"init": "scratch", "data.matches": 5}}
    module = toy_module(ARMS={"twice": {"pretrain": [PRI3D, second]}})
    module.SHARED = (*module.SHARED, "data.matches")
    asked = {leaf: value for leaf, value in TINY_PRETRAINING.items() if leaf != "data.matches"}
    changes = {"method.unet.dim": 24, "run.workers": 0}
    space = space_of(module)
    whole = plan(chain_request(NOWHERE, NOWHERE, changes=changes, space=space, pretraining_settings=asked))
    assert len(whole.pretrainings) == 2
    for one in whole.pretrainings:
        assert (one.experiment.data.matches, one.experiment.method.unet.dim, one.experiment.run.workers) == (5, 24, 0)


@pytest.mark.parametrize(
    ("leaves", "shared"),
    [
        ({"method.unet.encoder": "resnet18"}, ()),
        ({"data.height": 66, "data.width": 88}, ("data.height", "data.width")),
    ],
)
def test_an_arm_may_be_a_network_or_a_resolution_and_its_pretrainings_follow(leaves, shared):
    usual = {leaf: value for leaf, value in TINY_PRETRAINING.items() if leaf not in leaves}
    module = toy_module(ARMS={"usual": CHAIN, "other": CHAIN | {"settings": leaves}}, BUDGETS=(0.5, 1))
    module.SHARED = (*module.SHARED, *shared)
    request = chain_request(NOWHERE, NOWHERE, space=space_of(module), budgets=(0.5, 1.0), pretraining_settings=usual)
    request.settings.pop("data.height"), request.settings.pop("data.width")
    whole = plan(request)
    assert len(whole.pretrainings) == 4
    for trial in whole.trials:
        for training in (trial, *ancestors(trial)):
            own = flatten(training.experiment)
            assert (leaves.items() <= own.items()) == (trial.arm == "other")
    assert len({trial.key for trial in whole.trials}) == 4
    assert all((leaves.items() <= trial.settings.items()) == (trial.arm == "other") for trial in whole.trials)


def test_a_setting_of_pretrainings_is_for_those_that_have_its_leaf_and_one_that_none_has_is_refused():
    whole = plan(chain_request(NOWHERE, NOWHERE, pretraining_settings={"data.matches": 7, "schedule.steps": 3}))
    teacher, student = whole.pretrainings
    assert teacher.experiment.data.matches == 7
    assert (teacher.experiment.schedule.steps, student.experiment.schedule.steps) == (3, 3)
    with pytest.raises(
        UserError, match=r"^unknown setting 'data.matchs': no pretraining has it, they are of pri3d, disti"
    ):
        plan(chain_request(NOWHERE, NOWHERE, pretraining_settings={"data.matchs": 7}))


@pytest.mark.parametrize(
    ("pretrain", "words"),
    [
        ([PRI3D, PRI3D], "two trainings are named 'pri3d': give each pretraining a name"),
        ([PRI3D | {"name": "trial"}], "two trainings are named 'trial'"),
        (
            [PRI3D | {"of": "student"}, STUDENT],
            "pretraining pri3d is of 'student': choose a later one of distillation, t",
        ),
        ([STUDENT, PRI3D | {"of": "distillation"}], "is of 'distillation': choose a later one of trial"),
        (
            [PRI3D | {"into": "method.teachers"}, STUDENT],
            "distillation has no setting method.teachers, which pretraining",
        ),
        ([PRI3D | {"into": "method.teacher"}], "semantic_segmentation_2d has no setting method.teacher"),
        ([PRI3D | {"into": "optim.lr"}, STUDENT], "optim.lr of distillation takes no checkpoint"),
        ([PRI3D | {"of": "trial"}, STUDENT], "two pretrainings go into init of trial: give each a leaf"),
        ([PRI3D | {"onto": "init"}], "unknown keys: onto"),
        ([{"into": "init"}], "a pretraining has no 'method'"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_in_one_line(pretrain, words):
    with pytest.raises(UserError, match=rf"^arm 'odd' of space toy: .*{words}"):
        space_of(toy_module(ARMS={"odd": {"pretrain": pretrain}}))
