"""Boxes that are kept, against loops over boxes and points."""

import numpy as np
import pytest

from sem3d.evaluation.box_choice import BoxChoice, chosen_boxes, unsuppressed
from sem3d.geometry.boxes import bounds
from tests.geometry.test_boxes import drawn
from tests.reference import boxes as reference


def around(box: np.ndarray) -> list[float]:
    low, high = bounds(box[None])
    return [*((low + high) / 2)[0], *(high - low)[0], 0.0]


def kept_by_loops(boxes, scores, classes, points, config: BoxChoice) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        if scores[row] <= config.least_score:
            continue
        turn, center, half = boxes[row, 6], boxes[row, :3], boxes[row, 3:6] / 2
        own = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        held = sum(bool((abs(own @ (point - center)) <= half).all()) for point in points)
        if held < config.least_points:
            continue
        rivals = [one for one in kept if classes[one] == classes[row]]
        if all(reference.iou(around(boxes[row]), around(boxes[one])) <= config.overlap for one in rivals):
            kept.append(row)
    return kept


@pytest.mark.parametrize("turned", [True, False])
def test_kept_boxes_are_those_of_loops(turned):
    rng = np.random.default_rng(0)
    boxes, points = drawn(40, 3, turned), rng.uniform(-1, 1, (60, 3))
    scores, classes = rng.random(40), rng.integers(0, 3, 40)
    for config in (BoxChoice(), BoxChoice(overlap=0.6, least_points=12, least_score=0.3)):
        found = chosen_boxes(boxes, scores, classes, points, config)
        assert found.tolist() == kept_by_loops(boxes, scores, classes, points, config)
        assert 5 < len(found) < 35


def test_a_box_gives_way_to_a_better_one_of_its_class_alone():
    box = np.array([[0, 0, 0, 1, 1, 1, 0.0]] * 3)
    assert unsuppressed(box, np.array([2, 2, 1]), 0.25).tolist() == [0, 2]
    apart = box + np.array([[0.0], [5], [9]]) * np.eye(7)[:1]
    assert unsuppressed(apart, np.zeros(3, int), 0.25).tolist() == [0, 1, 2]


def test_no_boxes_are_kept_of_none():
    none = np.zeros((0, 7))
    assert chosen_boxes(none, np.zeros(0), np.zeros(0, int), np.zeros((5, 3)), BoxChoice()).shape == (0,)
