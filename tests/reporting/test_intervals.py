import math

import numpy as np
import pytest
from scipy import stats

from sem3d.errors import UserError
from sem3d.reporting.intervals import interval, paired_difference


def test_three_values_give_the_interval_of_the_textbook():
    result = interval([1.0, 2.0, 3.0])
    np.testing.assert_allclose([result.mean, result.sd], [2.0, 1.0])
    np.testing.assert_allclose(result.half, 4.302652729911275 / math.sqrt(3))
    np.testing.assert_allclose([result.low, result.high], [2 - result.half, 2 + result.half])


def test_the_interval_agrees_with_scipy_at_any_confidence():
    values = np.random.default_rng(0).normal(3.0, 2.0, 9).tolist()
    wanted = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    result = interval(values, confidence=0.9)
    np.testing.assert_allclose([result.low, result.high], [wanted.low, wanted.high])


def test_the_interval_holds_the_true_mean_in_about_95_of_100_trials():
    draws = np.random.default_rng(1).normal(0.0, 1.0, (600, 3))
    held = [abs(interval(row.tolist()).mean) <= interval(row.tolist()).half for row in draws]
    assert 0.92 < np.mean(held) < 0.98


def test_one_seed_has_a_mean_and_no_interval():
    result = interval([0.4])
    assert (result.mean, result.n) == (0.4, 1)
    assert math.isnan(result.sd)
    assert math.isnan(result.half)
    assert math.isnan(paired_difference({0: 1.0}, {0: 2.0}).p)


def test_the_paired_p_value_agrees_with_scipy():
    random = np.random.default_rng(2)
    baseline = {seed: float(value) for seed, value in enumerate(random.normal(0.5, 0.1, 5))}
    candidate = {seed: value + float(random.normal(0.03, 0.02)) for seed, value in reversed(baseline.items())}
    seeds = sorted(baseline)
    wanted = stats.ttest_rel([candidate[seed] for seed in seeds], [baseline[seed] for seed in seeds])
    result = paired_difference(baseline, candidate)
    np.testing.assert_allclose(result.p, wanted.pvalue)
    np.testing.assert_allclose([result.low, result.high], wanted.confidence_interval(0.95))


def test_pairing_removes_what_the_seeds_share():
    baseline = {0: 0.1, 1: 0.5, 2: 0.9}
    candidate = {seed: value + 0.05 + 0.001 * seed for seed, value in baseline.items()}
    assert paired_difference(baseline, candidate).half < 0.01 < interval(list(baseline.values())).half


def test_equal_and_constantly_shifted_results_have_certain_p_values():
    assert paired_difference({0: 0.25, 1: 0.5}, {0: 0.25, 1: 0.5}).p == 1.0
    assert paired_difference({0: 0.25, 1: 0.5}, {0: 0.5, 1: 0.75}).p == 0.0


def test_different_seeds_are_refused_by_name():
    with pytest.raises(UserError, match="seeds 1, 7 ran for one setting only"):
        paired_difference({0: 0.1, 1: 0.2}, {0: 0.1, 7: 0.2})


def test_no_values_are_refused():
    with pytest.raises(UserError, match="no values"):
        interval([])
