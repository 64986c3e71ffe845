"""Every space that ships: its leaves exist, its arms can be planned, its searches name distributions."""

from pathlib import Path

import pytest
from ray.tune.search.sample import Categorical

from sem3d.config import digest, flatten, override
from sem3d.methods import method_class
from sem3d.runs.run_folder import identity
from sem3d.sweeps import plan as planning
from sem3d.sweeps.plan import Request, by_content, distributions, plan
from sem3d.sweeps.space import read_space, written_spaces

SPACES = [
    (name, preset)
    for name in written_spaces()
    for preset in method_class(read_space(name).arms[0].trained.method).presets
    if all(preset in method_class(part.method).presets for arm in read_space(name).arms for part in arm.pretrainings)
]


@pytest.mark.parametrize(("name", "preset"), SPACES)
def test_every_leaf_of_every_space_exists_in_every_preset(name, preset):
    space = read_space(name, preset)
    for arm in space.arms:
        for part in (arm.trained, *arm.pretrainings):
            leaves = flatten(part.experiment()).keys()
            assert set(part.settings) | set(part.seed_leaves) <= leaves
        assert {space.budget, *space.search} <= flatten(arm.trained.experiment()).keys()


@pytest.mark.parametrize("name", written_spaces())
def test_every_space_is_one_comparison(name):
    space = read_space(name)
    assert len({arm.name for arm in space.arms}) == len(space.arms) >= 2
    assert len(set(space.budgets)) == len(space.budgets)
    assert space.seeds >= 3
    method = method_class(space.arms[0].trained.method)
    assert (space.metric, space.mode) == OWN_QUESTIONS.get(name, method.score)
    assert all(words.split()[0] for words in distributions(space.search).values())
    names = tuple(arm.name for arm in space.arms)
    request = Request(space=space, arms=names, budgets=space.budgets, seeds=(0, 1), storage=Path("/nowhere"))
    left_out = (float("inf") in space.budgets) * sum(arm.needs_unlabelled for arm in space.arms)
    assert len(plan(request).trials) == (len(names) * len(space.budgets) - left_out) * 2


def test_a_search_of_ssr_can_find_the_settings_of_the_paper():
    published = flatten(method_class("ssr").presets["paper"]())
    for leaf, domain in read_space("ssr").search.items():
        if isinstance(domain, Categorical):
            assert published[leaf] in domain.categories
        else:
            assert domain.lower < published[leaf] < domain.upper


OWN_QUESTIONS = {"semantic_srn_masks": ("silhouette_iou", "max")}
"""Metrics of spaces that ask for something else than how good the method is: a mask tells no colours."""
NAMES = {
    "pri3d": "pri3d-fdcf1c0fd670",
    "semantic_segmentation_2d": "semantic_segmentation_2d-1de693252e2b",
    "ssr": "ssr-7c17aba0cd63",
}
"""Names of whole sweeps, digests of the keys of all their trials, as they were before arms became chains (cca66dc)."""
BEFORE = {
    "pri3d": {"method.embedding_layer": True},
    "semantic_segmentation_2d": {"method.embedding_layer": True},
    "ssr": {
        "method.viewpoint_batch": 0,
        "data.chosen_on": "evaluation_split",
        "run.evaluate_every": 0,
    },
}
"""What the presets were then, where they have changed since."""
PRETRAININGS = (
    "pri3d-d89f16935c91",
    "pri3d-523abd40ba7b",
    "pri3d-ad2bf5a48526",
    "pri3d-6b596fac11a9",
    "pri3d-a5246cc76b26",
    "pri3d-36ba0cb1f8b1",
)
"""Names of the pretrainings of space pri3d on data whose digest is 0123456789ab."""


def whole_space(name, **settings):
    """Return the plan of a whole space with three seeds."""
    space = read_space(name)
    asked = {"arms": tuple(arm.name for arm in space.arms), "budgets": space.budgets, "seeds": (0, 1, 2)}
    return plan(Request(space=space, settings=settings, storage=Path("/runs"), **asked))


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_keep_the_names_by_which_they_resume(name, monkeypatch):
    monkeypatch.setattr(planning, "data_digest", lambda *_: "0123456789ab")
    whole = whole_space(name, **BEFORE[name])
    assert whole.name == NAMES[name]
    named = {one.key for one in by_content(whole).pretrainings}
    assert named == (set(PRETRAININGS) if name == "pri3d" else set())


@pytest.mark.parametrize("name", NAMES)
def test_the_key_of_a_trial_is_the_digest_of_what_is_asked(name):
    for trial in whole_space(name).trials:
        before = trial.starts.get("init")
        plain = override(trial.experiment, {"run.name": ""})
        asked = {
            "method": trial.method,
            "arm": trial.arm,
            "budget": trial.budget,
            "seed": trial.seed,
            "experiment": identity(plain),
            "pretraining": before and {"method": before.method, "experiment": identity(before.experiment)},
        }
        assert trial.key == digest(asked)
        assert before is None or before.key == f"{before.method}-{digest(identity(before.experiment))}"
