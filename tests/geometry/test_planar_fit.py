"""The affine map that most matches agree on."""

import numpy as np
import pytest

from sem3d.geometry.planar_fit import fit_matches


@pytest.mark.parametrize("wrong", [0.0, 0.3, 0.6])
def test_a_similarity_is_found_among_wrong_matches(wrong):
    rng = np.random.default_rng(3)
    source = rng.random((80, 2)) * 100
    linear = 1.3 * np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    target = source @ linear + (5, -7)
    strays = rng.random(80) < wrong
    target[strays] = rng.random((int(strays.sum()), 2)) * 1000 + 500
    found = fit_matches(source, target, 1.0, rng)
    assert found is not None
    np.testing.assert_allclose(found.linear, linear, atol=1e-9)
    np.testing.assert_allclose(found.shift, [5, -7], atol=1e-6)
    np.testing.assert_array_equal(found.agreed, ~strays)


def test_a_shear_within_reach_is_fitted_exactly():
    source = np.random.default_rng(0).random((50, 2)) * 100
    linear = np.array([[1.1, 0.02], [0.05, 0.95]])
    found = fit_matches(source, source @ linear, 30.0, np.random.default_rng(0))
    assert found is not None
    np.testing.assert_allclose(found(source), source @ linear, atol=1e-9)


def test_what_says_nothing_of_a_map_gives_none():
    rng = np.random.default_rng(0)
    places = rng.random((40, 2))
    line = np.stack([np.arange(40.0), np.arange(40.0)], axis=1)
    assert fit_matches(places[:3], places[:3], 1.0, rng) is None
    assert fit_matches(line, line, 1.0, rng) is None
    assert fit_matches(np.ones((40, 2)), places, 1.0, rng) is None
    assert fit_matches(places, places * 100, 1.0, rng) is None
    assert fit_matches(places * 1000, rng.random((40, 2)) * 1000, 1e-3, rng) is None
