import math

import numpy as np

from sem3d.evaluation.figures.dials import dial, viewpoint_dials
from sem3d.evaluation.viewpoints import viewpoint_scores


def test_a_viewpoint_is_right_where_both_bins_are():
    found = viewpoint_scores(np.array([[1, 1, 3.0], [1, 0, 20.0], [0, 1, 40.0], [0, 0, 170.0]]))
    assert found == {
        "azimuth_accuracy": 0.5,
        "elevation_accuracy": 0.5,
        "viewpoint_accuracy": 0.25,
        "median_error_degrees": 30.0,
        "mean_error_degrees": 233 / 4,
        "within_15_degrees": 0.25,
        "within_30_degrees": 0.5,
    }


def test_without_views_nothing_is_known():
    found = viewpoint_scores(np.zeros((0, 3)))
    assert found.keys() == viewpoint_scores(np.ones((1, 3))).keys()
    assert all(map(math.isnan, found.values()))


def test_a_camera_that_sees_the_front_from_above_points_down_on_the_first_dial_and_up_on_the_second():
    true = np.array([[np.pi, 0.01]])
    picture = viewpoint_dials([np.zeros((8, 8, 3), np.uint8)], true, true)
    red = (picture.astype(int) - [200, 30, 40] == 0).all(axis=2)
    rows, columns = np.nonzero(red)
    middle = (rows.min() + rows.max()) / 2
    second = columns > (columns.min() + columns.max()) / 2
    assert rows[~second].mean() > middle > rows[second].mean()
    assert dial([0.0, 1.0]).std() > 5
