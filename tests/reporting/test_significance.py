import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sem3d.reporting.significance import compare_with_first, holm, smallest_sign_flip_p


def naive_holm(p_values: list[float]) -> list[float]:
    """Holm's rule word by word: each p times the number of those not smaller, never less than the one before."""
    corrected, highest = {}, 0.0
    remaining = len(p_values)
    for place in sorted(range(len(p_values)), key=lambda place: p_values[place]):
        highest = max(highest, min(1.0, remaining * p_values[place]))
        corrected[place] = highest
        remaining -= 1
    return [corrected[place] for place in range(len(p_values))]


def test_holm_of_a_known_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_equals_its_rule_and_never_makes_p_smaller(p_values):
    corrected = holm(p_values)
    np.testing.assert_allclose(corrected, naive_holm(p_values))
    assert all(after >= before for before, after in zip(p_values, corrected, strict=True))


def test_a_comparison_that_was_not_tested_does_not_count():
    corrected = holm([math.nan, 0.02, 0.03])
    assert math.isnan(corrected[0])
    np.testing.assert_allclose(corrected[1:], [0.04, 0.04])


def test_arms_are_paired_by_the_seeds_they_share():
    scores = {"scratch": {0.2: {0: 1.0, 1: 2.0, 2: 4.0, 9: 50.0}}, "pri3d": {0.2: {0: 1.5, 1: 2.4, 2: 4.9}}}
    (found,) = compare_with_first(scores, ["scratch", "pri3d"])
    assert found.difference.n == 3
    assert found.difference.mean == pytest.approx(0.6)
    assert found.difference.p == pytest.approx(stats.ttest_rel([1.5, 2.4, 4.9], [1.0, 2.0, 4.0]).pvalue)
    assert found.p_corrected == found.difference.p


def test_all_comparisons_are_corrected_together():
    rng = np.random.default_rng(0)
    draw = lambda shift: {seed: float(shift + rng.normal()) for seed in range(5)}  # noqa: E731
    scores = {arm: {budget: draw(shift) for budget in (0.1, 1.0)} for arm, shift in (("a", 0), ("b", 3), ("c", 1))}
    found = compare_with_first(scores, ["a", "b", "c"])
    assert [(item.arm, item.budget) for item in found] == [("b", 0.1), ("c", 0.1), ("b", 1.0), ("c", 1.0)]
    np.testing.assert_allclose([item.p_corrected for item in found], naive_holm([item.difference.p for item in found]))


def test_one_seed_has_a_difference_but_no_p_value_and_is_never_significant():
    (found,) = compare_with_first({"a": {1.0: {0: 1.0}}, "b": {1.0: {0: 9.0}}}, ["a", "b"])
    assert found.difference.mean == 8.0
    assert math.isnan(found.p_corrected)
    assert not found.significant


def test_arms_without_a_shared_seed_are_not_compared():
    assert compare_with_first({"a": {1.0: {0: 1.0}}, "b": {1.0: {1: 2.0}, 2.0: {0: 1.0}}}, ["a", "b"]) == []
    assert compare_with_first({}, []) == []


def test_three_seeds_cannot_reach_significance_by_signs_alone():
    assert smallest_sign_flip_p(1) == 1.0
    assert smallest_sign_flip_p(3) == 0.25
    assert smallest_sign_flip_p(6) < 0.05
