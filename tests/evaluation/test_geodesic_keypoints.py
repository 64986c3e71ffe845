"""KeypointNet's scores against loops, and turns of symmetric objects."""

import math

import numpy as np
import pytest

from sem3d.evaluation.geodesic_keypoints import (
    CIRCLE_TURNS,
    geodesic_correct_share,
    keypoint_iou,
    mean_keypoint_iou,
    precision_and_recall,
    turned_keypoints,
)
from tests.reference import keypoint_scores as reference


def drawn_tables(seed: int, models: int = 4, most: int = 5) -> list[np.ndarray]:
    """Distances between predicted and true keypoints of some models, some without any of one kind."""
    rng = np.random.default_rng(seed)
    return [np.round(rng.random(rng.integers(0, most, 2)) / 5, 2) for _ in range(models)]


@pytest.mark.parametrize("threshold", [0.0, 0.04, 0.1])
def test_iou_precision_and_recall_equal_loops(threshold):
    for seed in range(20):
        tables = [np.ones((1, 1)), *drawn_tables(seed)]
        plain = [(table.tolist(), *table.shape) for table in tables]
        assert keypoint_iou(tables, threshold) == pytest.approx(reference.iou(plain, threshold))
        pairs = sum(reference.most_pairs(*model, threshold) for model in plain)
        found = precision_and_recall(tables, threshold)
        assert found.precision == pytest.approx(pairs / sum(predicted for _, predicted, _ in plain))
        assert found.recall == pytest.approx(pairs / sum(true for _, _, true in plain))


def test_the_threshold_itself_is_near_enough_for_iou_and_too_far_for_pck():
    assert keypoint_iou([np.array([[0.1]])], 0.1) == 1
    assert geodesic_correct_share([np.array([[0.1]])], 0.1).by_model == 0


def test_two_answers_for_one_keypoint_are_one_right_and_one_wrong_but_no_false_one_of_iou():
    distances = [np.array([[0.0], [0.01]])]
    assert keypoint_iou(distances, 0.05) == 1
    found = precision_and_recall(distances, 0.05)
    assert (found.precision, found.recall) == (0.5, 1)


def test_miou_is_the_mean_over_classes():
    by_class = {"chair": [np.array([[0.0]])], "mug": [np.array([[0.0, 1.0, 1.0]]), np.array([[0.0]])]}
    assert mean_keypoint_iou(by_class, 0.1) == pytest.approx((1 + 2 / 4) / 2)
    assert math.isnan(keypoint_iou([np.zeros((0, 0))], 0.1))


def test_geodesic_pck_equals_loops_and_takes_the_best_turn():
    rng = np.random.default_rng(1)
    for _ in range(10):
        tables = [rng.random((rng.integers(1, 4), rng.integers(1, 6))) / 5 for _ in range(5)]
        found = geodesic_correct_share(tables, 0.1)
        wanted = reference.geodesic_pck([table.tolist() for table in tables], 0.1)
        assert (found.by_model, found.by_keypoint) == pytest.approx(wanted)
    assert geodesic_correct_share([np.array([[1.0, 1.0], [0.0, 0.01]])], 0.1).by_model == 1
    assert math.isnan(geodesic_correct_share([np.zeros((1, 0))], 0.1).by_model)


def table_corners() -> np.ndarray:
    """Corners of a square table top about (0.5, 0, 0), then two points of its leg."""
    top = np.array([[1, 1, 1], [1, 1, -1], [-1, 1, -1], [-1, 1, 1]], np.float64)
    return np.concatenate([top, [[0, 0, 0], [0, -1, 0]]]) + np.array([0.5, 0, 0])


def test_turns_of_a_square_table_move_its_corners_round_and_leave_its_leg():
    points = table_corners()
    turns = turned_keypoints(points, np.array([0, 1, 2, 3, 5]), np.array([0, 1, 2, 3]), circle=False)
    assert turns.shape == (4, 5)
    assert turns[0].tolist() == [0, 1, 2, 3, 5]
    assert {tuple(row[:4]) for row in turns.tolist()} == {(0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)}
    assert set(turns[:, 4].tolist()) == {5}


def test_a_round_table_has_the_turns_of_a_circle():
    angle = 2 * np.pi * np.arange(72) / 72
    rim = np.stack([np.sin(angle), np.ones(72), np.cos(angle)], axis=1)
    turns = turned_keypoints(rim, np.array([0, 36]), np.array([0, 1]), circle=True)
    assert turns.shape == (CIRCLE_TURNS, 2)
    assert turns[:, 0].tolist() == list(range(0, 72, 2))
    assert ((turns[:, 1] - turns[:, 0]) % 72 == 36).all()
