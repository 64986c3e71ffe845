"""Scores of reconstructed shapes against loops and closed forms."""

import numpy as np
import pytest

from sem3d.evaluation.reconstruction import SurfaceScores, sample_surface, surface_scores, voxel_iou


def test_voxel_iou_equals_counting_and_empty_grids_agree():
    rng = np.random.default_rng(0)
    predicted, true = rng.random((2, 3, 4, 4, 4)) > 0.5
    predicted[2], true[2] = False, False
    for item, value in enumerate(voxel_iou(predicted, true)[:2]):
        pairs = list(zip(predicted[item].flat, true[item].flat, strict=True))
        assert value == sum(a and b for a, b in pairs) / sum(a or b for a, b in pairs)
    assert voxel_iou(predicted, true)[2] == 1
    assert voxel_iou(predicted[0], predicted[0]) == 1


def test_scores_equal_distances_between_all_pairs():
    rng = np.random.default_rng(1)
    predicted, true = rng.random((40, 3)), rng.random((30, 3))
    distance = np.linalg.norm(predicted[:, None] - true[None], axis=2)
    to_true, to_predicted = distance.min(axis=1), distance.min(axis=0)
    scores = surface_scores(predicted, true, threshold=0.15)
    assert scores.chamfer == pytest.approx((to_true.mean() + to_predicted.mean()) / 2)
    assert scores.squared_chamfer == pytest.approx((to_true**2).mean() + (to_predicted**2).mean())
    assert scores.precision == (to_true <= 0.15).mean()
    assert scores.recall == (to_predicted <= 0.15).mean()


def test_f_score_is_the_harmonic_mean_and_zero_when_nothing_is_near():
    assert SurfaceScores(0.1, 0.1, 0.5, 1.0).f_score == pytest.approx(2 / 3)
    assert SurfaceScores(1.0, 1.0, 0.0, 0.0).f_score == 0
    cloud = np.random.default_rng(2).random((10, 3))
    assert surface_scores(cloud, cloud, threshold=0.0).f_score == 1
    assert surface_scores(cloud, cloud + 9, threshold=0.1).f_score == 0


def test_samples_are_uniform_over_the_area_and_lie_on_the_mesh():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 0, 1]])
    points = sample_surface(vertices, faces, 20000, np.random.default_rng(3))
    upright = points[:, 2] > 0
    assert upright.mean() == pytest.approx(0.75, abs=0.015)
    np.testing.assert_allclose(points[~upright].mean(axis=0), [1 / 3, 1 / 3, 0], atol=0.015)
    np.testing.assert_allclose(points[upright].mean(axis=0), [1 / 3, 0, 1], atol=0.03)
    assert not points[upright, 1].any()
    assert (points >= 0).all()


def test_what_cannot_be_sampled_or_compared_is_refused():
    with pytest.raises(ValueError, match="area"):
        sample_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="none"):
        surface_scores(np.zeros((0, 3)), np.zeros((1, 3)), threshold=0.1)
