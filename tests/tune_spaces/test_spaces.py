"""Every space that ships: its leaves exist, its arms can be planned, its searches name distributions."""

from pathlib import Path

import pytest
from ray.tune.search.sample import Categorical

from sem3d.config import flatten
from sem3d.methods import method_class
from sem3d.sweeps.plan import Request, distributions, plan
from sem3d.sweeps.space import read_space, space_names

SPACES = [
    (name, preset) for name in space_names() for preset in method_class(read_space(name).arms[0].trained.method).presets
]


@pytest.mark.parametrize(("name", "preset"), SPACES)
def test_every_leaf_of_every_space_exists_in_every_preset(name, preset):
    space = read_space(name, preset)
    for arm in space.arms:
        for part in (arm.trained, *arm.pretrainings):
            leaves = flatten(part.experiment()).keys()
            assert set(part.settings) | set(part.seed_leaves) <= leaves
        assert {space.budget, *space.search} <= flatten(arm.trained.experiment()).keys()


@pytest.mark.parametrize("name", space_names())
def test_every_space_is_one_comparison(name):
    space = read_space(name)
    assert len({arm.name for arm in space.arms}) == len(space.arms) >= 2
    assert len(set(space.budgets)) == len(space.budgets)
    assert space.seeds >= 3
    method = method_class(space.arms[0].trained.method)
    assert (space.metric, space.mode) == method.score
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
