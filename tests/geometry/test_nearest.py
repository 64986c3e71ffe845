import numpy as np
import pytest

from sem3d.geometry import nearest
from sem3d.geometry.nearest import in_order, nearest_within


def nearest_by_distance(queries: np.ndarray, targets: np.ndarray, radius: float) -> np.ndarray:
    squared = ((queries[:, None] - targets[None]) ** 2).sum(axis=-1)
    return np.where(squared.min(axis=1) < radius**2, squared.argmin(axis=1), -1)


@pytest.mark.parametrize("pairs", [1, 50, 1 << 16])
@pytest.mark.parametrize("radius", [0.02, 0.1, 0.7, 4.0])
def test_the_nearest_target_is_that_of_all_distances(radius, pairs, monkeypatch):
    monkeypatch.setattr(nearest, "PAIRS_AT_ONCE", pairs)
    rng = np.random.default_rng(0)
    queries = np.concatenate([rng.uniform(-1, 1, (300, 3)), rng.uniform(-50, 50, (20, 3))])
    targets = rng.uniform(-1, 1, (500, 3)) * [1.0, 1.0, 0.05]
    found = nearest_within(queries, targets, radius)
    np.testing.assert_array_equal(found, nearest_by_distance(queries, targets, radius))
    assert (found >= 0).any()
    assert (found < 0).any()


def test_a_target_exactly_one_radius_away_is_too_far_and_one_at_the_place_itself_is_not():
    targets = np.array([[0.0, 0.0, 0.0]])
    queries = np.array([[0.25, 0.0, 0.0], [0.0, -0.25, 0.0], [0.0, 0.0, 0.0], [0.0, 0.125, 0.125]])
    np.testing.assert_array_equal(nearest_within(queries, targets, 0.25), [-1, -1, 0, 0])


def test_of_equal_targets_the_first_is_taken():
    targets = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(nearest_within(np.array([[1.0, 1.0, 1.1]]), targets, 0.5), [1])


def test_cells_that_do_not_fit_beside_a_row_are_sorted_with_the_same_result():
    keys = np.random.default_rng(0).integers(0, 40, 300)
    expected = np.argsort(keys, kind="stable")
    for most in (40, 1 << 62):
        found, order = in_order(keys, most)
        np.testing.assert_array_equal(order, expected)
        np.testing.assert_array_equal(found, keys[expected])


def test_without_queries_or_targets_there_is_nothing():
    some, none = np.zeros((3, 3)), np.zeros((0, 3))
    np.testing.assert_array_equal(nearest_within(some, none, 0.1), [-1, -1, -1])
    assert nearest_within(none, some, 0.1).shape == (0,)


def test_points_that_cannot_be_hashed_are_refused():
    fine = np.zeros((1, 3))
    for queries, targets in ((fine * np.nan, fine), (fine, fine + np.inf), (fine, fine + 1e8)):
        with pytest.raises(ValueError, match="voxel"):
            nearest_within(queries, targets, 0.02)
