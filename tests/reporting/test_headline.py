"""Properties of the headline over random tables of scores: what it may say, and what it must not leave out."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.reporting.formatting import Budgets, in_a_line, metric_of
from sem3d.reporting.page import Limits, SweepReview, cautions, headline, unranked
from sem3d.reporting.page.headline import BETTER, NOT_RANKED, NOT_SHOWN, ONE_SEED, SAME, WORSE, verdict

BUDGETS = (0.05, 0.2, 1.0)


def review_of(scores, *, mode="max", name="miou_scannet", limits=()) -> SweepReview:
    values = [value for by_budget in scores.values() for by_seed in by_budget.values() for value in by_seed.values()]
    budgets = sorted({budget for by_budget in scores.values() for budget in by_budget})
    return SweepReview(
        name="demo",
        space="pri3d",
        metric=metric_of(name, mode, values),
        arms=tuple(scores),
        budgets=Budgets(tuple(budgets)),
        seeds=tuple(range(9)),
        scores=scores,
        trials=(),
        limits=tuple(limits),
    )


@st.composite
def tables(draw, most_seeds=5, most_arms=3):
    """Scores by arm, budget and seed: sure and unsure gains and losses, equal scores, tiny differences."""
    budgets, count = draw(st.sampled_from([BUDGETS, BUDGETS[:1], BUDGETS[1:]])), draw(st.integers(1, most_seeds))
    gaps = st.sampled_from([0.0, 0.0003, -0.0003, 0.01, -0.01, 0.2, -0.2])
    noise = st.floats(0, 0.02)
    scores = {}
    for arm in ["scratch", "pri3d", "other"][: draw(st.integers(2, most_arms))]:
        scores[arm] = {
            budget: {seed: 0.3 + draw(gaps) * (arm != "scratch") + draw(noise) for seed in range(count)}
            for budget in budgets
        }
    return scores


@settings(max_examples=150, deadline=None)
@given(tables())
def test_every_arm_is_named_with_every_budget_and_its_own_verdict(scores):
    review = review_of(scores)
    said = headline(review)
    for arm in review.arms[1:]:
        own = said if len(review.arms) == 2 else re.split(r"(?<!\.)\. ", said.split(f"{arm}: ")[1])[0]
        places = re.findall(r"at (\d+) %", own)
        assert [float(place) / 100 for place in places] == list(review.budgets.values)
        own_verdicts = {verdict(item, review) for item in review.comparisons if item.arm == arm}
        for kind in (BETTER, WORSE, NOT_SHOWN):
            assert (kind in own_verdicts) == bool(re.search(rf"(^|[ ;]){kind}:", own)), (kind, own)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_a_difference_that_rounding_hides_is_no_difference(scores):
    review = review_of(scores)
    said = headline(review)
    assert not re.search(r"[+−]0\.0 ", said)
    for item in review.comparisons:
        if abs(item.difference.mean) < 0.00049:
            assert verdict(item, review) == SAME


@settings(max_examples=80, deadline=None)
@given(tables(most_seeds=1))
def test_one_seed_is_no_finding(scores):
    said = headline(review_of(scores))
    assert said.startswith("No finding: one seed has no interval. ")
    assert not re.search(r"better|worse|significant|95 %|beats", said)


@settings(max_examples=80, deadline=None)
@given(tables(most_arms=2))
def test_gains_and_losses_are_told_alike(scores):
    turned = {"scratch": scores["pri3d"], "pri3d": scores["scratch"]}
    mirror = {BETTER: WORSE, WORSE: BETTER}
    there, back = (review_of(table) for table in (scores, turned))
    kinds = [[verdict(item, review) for item in review.comparisons] for review in (there, back)]
    assert kinds[1] == [mirror.get(kind, kind) for kind in kinds[0]]


def table(*gaps, seeds=4):
    """Scores of two arms that differ by about ``gaps`` at the budgets."""
    return {
        arm: {
            budget: {seed: 0.3 + 0.01 * seed + (gap + 0.001 * (seed % 2)) * (arm == "pri3d") for seed in range(seeds)}
            for budget, gap in zip(BUDGETS, gaps, strict=False)
        }
        for arm in ("scratch", "pri3d")
    }


def test_the_sentence_itself():
    said = headline(review_of(table(0.02, 0.0, -0.01)))
    assert said == (
        "pri3d against scratch, mIoU scannet in % (95 % interval, 4 seeds): better: +2.1 (2.0 .. 2.1) at 5 % of labels; "
        "no significant difference: +0.1 (0.0 .. 0.1) at 20 %; worse: −1.0 (−1.0 .. −0.9) at 100 %."
    )
    assert headline(review_of(table(0.01, -0.02, seeds=1))) == (
        "No finding: one seed has no interval. pri3d against scratch, mIoU scannet in %: +1.0 at 5 % of labels, −2.0 at 20 %."
    )
    assert headline(review_of(table(0.0002, seeds=1))).endswith("in %: no difference at 5 % of labels.")


def test_lower_is_better_where_the_metric_says_so():
    said = headline(review_of(table(-0.05), mode="min", name="error"))
    assert said.startswith(
        "pri3d against scratch, error, lower is better (95 % interval, 4 seeds): better: −0.0495 (−0."
    )


def test_below_twice_the_floor_nothing_is_ranked():
    limits = [Limits(budget=0.05, seed=0, floor=0.2, bound=0.6), Limits(budget=0.2, seed=0, floor=0.15, bound=1.0)]
    review = review_of(table(0.02, 0.02), limits=limits)
    assert review.not_ranked == (0.05,)
    assert f"{NOT_RANKED}, below twice the floor at 5 % of labels; better: +2.1 (" in headline(review)
    assert unranked(review) == (
        "Nothing can be ranked at 5 % of labels (best 33.6, floor 20.0): no arm has twice the mIoU scannet (%) of a predictor "
        "that never sees the input."
    )
    assert cautions(review)[0] == unranked(review)
    assert replace(review, limits=tuple(replace(item, clear=1.25) for item in limits)).not_ranked == ()
    near = replace(review, limits=tuple(replace(item, floor=0.3, clear=1.25) for item in limits))
    assert "not ranked, below 1.25 times the floor at 5 % of labels, at 20 %" in headline(near)
    assert not review_of(table(0.02), mode="min", limits=limits).not_ranked
    assert unranked(replace(review, limits=())) == ""


def test_a_seed_alone_among_others_is_no_finding():
    scores = table(0.02, 0.02)
    for arm in scores:
        scores[arm][0.05] = {0: scores[arm][0.05][0]}
    assert f": {ONE_SEED}: +2.0 at 5 % of labels; better: +2.1 (" in headline(review_of(scores))


def test_of_many_comparisons_the_smallest_budget_and_all_that_is_significant_are_named():
    budgets = [0.01 * number for number in range(1, 9)]
    noise = {"scratch": (0, 0, 0), "a": (3, -2, 1), "b": (-2, 3, -1)}
    scores = {
        arm: {
            budget: {seed: 0.3 + 0.001 * (1 + place) * noise[arm][seed] for seed in range(3)}
            for place, budget in enumerate(budgets)
        }
        for arm in noise
    }
    scores["b"][0.08] = {seed: value - 0.1 - 0.0001 * seed for seed, value in scores["scratch"][0.08].items()}
    said = headline(review_of(scores))
    assert said.count("at 1 % of labels") == 2
    assert "worse: −10.0" in said
    assert "7 more without a significant difference" in said
    assert "6 more without a significant difference" in said


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (
            {"scratch": {0.2: {0: 0.1}, 1.0: {0: 0.3}}},
            "scratch reaches 10.0 at 20 % of labels, 30.0 at 100 % of labels (1 seed)",
        ),
        ({"scratch": {0.2: {0: 0.1}}, "pri3d": {0.2: {1: 0.3}}}, "no two arms share a budget and a seed."),
        ({"scratch": {}}, "No trial of this sweep has finished with a score."),
    ],
)
def test_scores_that_cannot_be_compared_are_told_as_they_are(scores, words):
    assert words in headline(review_of(scores))


def test_a_line_of_progress_shows_rates_in_percent_as_tables_do():
    assert in_a_line("miou_scannet", 0.07312) == "miou_scannet (%) 7.312"
    assert in_a_line("loss", 1.5) == "loss 1.5"
    assert in_a_line("match_rate_5px", float("nan")) == "match_rate_5px (%) nan"
