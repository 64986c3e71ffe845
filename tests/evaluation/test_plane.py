"""Features in the plane: neighbours stay neighbours, dots have the colours of their classes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sem3d.evaluation.figures import Dots, scatter_sheet
from sem3d.evaluation.plane import in_the_plane, neighbours_of_the_same_class

LABELS = np.repeat([1, 2, 3], 12)
FEATURES = 5 * np.eye(4)[LABELS] + np.random.default_rng(0).normal(0, 0.2, (36, 4))


def test_rows_that_are_alike_lie_near_each_other_the_same_each_time():
    places = in_the_plane(FEATURES, seed=3)
    assert places.shape == (36, 2)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(36)
    assert (LABELS[distances.argmin(1)] == LABELS).all()
    assert_array_equal(places, in_the_plane(FEATURES, seed=3))


def test_few_rows_and_equal_rows_are_no_error_but_fewer_than_four_are():
    assert np.isfinite(in_the_plane(FEATURES[:4], seed=0)).all()
    assert np.isfinite(in_the_plane(np.ones((6, 3)), seed=0)).all()
    with pytest.raises(ValueError, match="3 rows cannot be laid out"):
        in_the_plane(FEATURES[:3], seed=0)


def test_nearest_rows_are_those_of_loops():
    features = np.random.default_rng(1).normal(size=(20, 3))
    labels = np.random.default_rng(2).integers(0, 3, 20)
    right = 0
    for row, own in enumerate(features):
        others = [
            (float(own @ other / np.linalg.norm(own) / np.linalg.norm(other)), labels[number])
            for number, other in enumerate(features)
            if number != row
        ]
        right += max(others)[1] == labels[row]
    assert neighbours_of_the_same_class(features, labels) == pytest.approx(right / 20)
    assert neighbours_of_the_same_class(FEATURES, LABELS) == 1


def test_a_sheet_has_a_panel_for_each_set_of_dots_and_their_colours():
    palette = np.array([[0, 0, 0], [200, 10, 10], [10, 200, 10], [10, 10, 200]], np.uint8)
    one = Dots("before", np.random.default_rng(0).normal(size=(5, 2)), np.array([1, 1, 2, 2, 2]))
    other = Dots("after", np.zeros((1, 2)), np.array([3]))
    sheet = scatter_sheet([one, other], palette, ["none", "wall", "floor", "chair"])
    assert sheet.shape[1] > 800
    left, right = sheet[40:440, :420], sheet[40:440, 440:]
    assert [(left == palette[number]).all(2).any() for number in (1, 2, 3)] == [True, True, False]
    assert [(right == palette[number]).all(2).any() for number in (1, 2, 3)] == [False, False, True]
