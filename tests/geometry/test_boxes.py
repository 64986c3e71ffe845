"""Boxes: overlap against closed forms, loops over corners and counted points."""

import numpy as np
import pytest

from sem3d.geometry.boxes import bounds, box_iou, edges, ground_corners, inside
from tests.reference import boxes as reference

UNIT = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]


def drawn(count: int, seed: int, turned: bool = True) -> np.ndarray:
    """Boxes around the origin, close enough that most of them meet."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            rng.uniform(-0.7, 0.7, (count, 3)),
            rng.uniform(0.2, 2.0, (count, 3)),
            rng.uniform(-7, 7, count) if turned else np.zeros(count),
        ]
    )


def overlap(*boxes: list[float]) -> float:
    return box_iou(np.array(boxes[:1]), np.array(boxes[1:])).item()


def changed(**numbers: float) -> list[float]:
    names = ("x", "y", "z", "width", "depth", "height", "heading")
    return [numbers.get(name, value) for name, value in zip(names, UNIT, strict=True)]


CLOSED = {
    "the same": (UNIT, UNIT, 1.0),
    "half beside": (UNIT, changed(x=0.5), 1 / 3),
    "half above": (UNIT, changed(z=-0.5), 1 / 3),
    "beside": (UNIT, changed(y=1.0), 0.0),
    "above": (UNIT, changed(z=1.5), 0.0),
    "a corner": (UNIT, changed(x=0.5, y=0.5, z=0.5), 1 / 15),
    "inside": (UNIT, changed(width=0.5, depth=0.5, height=0.5), 1 / 8),
    "a quarter turn": (UNIT, changed(heading=np.pi / 2), 1.0),
    "a half turn": (changed(width=3), changed(width=3, heading=np.pi), 1.0),
    "an eighth turn": (UNIT, changed(heading=np.pi / 4), (2 * np.sqrt(2) - 2) / (4 - 2 * np.sqrt(2))),
    "a cross": (changed(width=3), changed(width=3, heading=np.pi / 2), 1 / 5),
    "a slanted cross": (changed(width=9), changed(width=9, heading=np.pi / 6), 2 / 16),
    "without volume": (changed(depth=0), changed(depth=0), 0.0),
    "without volume and turned": (changed(depth=0, heading=1), UNIT, 0.0),
    "not finite": (changed(x=np.nan, heading=1), UNIT, 0.0),
    "endless": (changed(width=np.inf), UNIT, 0.0),
    "turned without end": (changed(heading=np.inf), UNIT, 0.0),
}


@pytest.mark.parametrize("case", CLOSED)
def test_overlap_has_its_closed_form(case):
    first, second, expected = CLOSED[case]
    assert overlap(first, second) == pytest.approx(expected, abs=1e-12)
    assert overlap(second, first) == pytest.approx(expected, abs=1e-12)


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="negative size"):
        overlap(UNIT, changed(height=-0.1))


@pytest.mark.parametrize("turned", [True, False])
def test_overlap_is_that_of_loops_over_corners(turned):
    first, second = drawn(60, 0, turned), drawn(50, 1, turned)
    second[:10] = first[:10]  # the same
    second[10:20] = first[10:20]  # sides on one line
    second[10:20, :2] += first[10:20, 3:4] / 2 * np.column_stack([np.cos(first[10:20, 6]), np.sin(first[10:20, 6])])
    second[20:25, 6] += np.pi / 2
    expected = [[reference.iou(one.tolist(), other.tolist()) for other in second] for one in first]
    found = box_iou(first, second)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert 0.1 < (found > 0).mean() < 0.99
    np.testing.assert_allclose(found[np.arange(10), np.arange(10)], 1)


def test_overlap_of_aligned_boxes_is_the_same_on_both_ways():
    first, second = drawn(40, 2, turned=False), drawn(40, 3, turned=False)
    second[0, 6] = 1e-9  # one turned box sends all along the other way
    np.testing.assert_allclose(box_iou(first, second), box_iou(first, second * [1, 1, 1, 1, 1, 1, 0]), atol=1e-8)


def test_overlap_is_that_of_counted_points():
    points = np.random.default_rng(0).uniform(-2, 2, (400_000, 3))
    for one, other in zip(drawn(6, 4), drawn(6, 5), strict=True):
        here, there = inside(points, one), inside(points, other)
        counted = (here & there).sum() / max((here | there).sum(), 1)
        assert box_iou(one[None], other[None]).item() == pytest.approx(counted, abs=0.01)


def test_overlap_does_not_change_when_the_world_is_moved_and_turned():
    first, second = drawn(30, 6), drawn(30, 7)
    before = box_iou(first, second)
    cos, sin = np.cos(0.8), np.sin(0.8)
    for boxes in (first, second):
        boxes[:, :2] = boxes[:, :2] @ np.array([[cos, sin], [-sin, cos]]) + 5
        boxes[:, 2] -= 3
        boxes[:, 6] += 0.8
    np.testing.assert_allclose(box_iou(first, second), before, atol=1e-12)


def test_corners_go_round_counterclockwise_and_bounds_hold_them():
    boxes = drawn(20, 8)
    corners = ground_corners(boxes)
    expected = [reference.corners(box.tolist()) for box in boxes]
    np.testing.assert_allclose(corners, expected)
    low, high = bounds(boxes)
    np.testing.assert_allclose(low[:, :2], np.min(expected, axis=1))
    np.testing.assert_allclose(high[:, 2] - low[:, 2], boxes[:, 5])


def test_no_boxes_overlap_nothing():
    none, some = np.zeros((0, 7)), drawn(3, 0)
    assert box_iou(none, some).shape == (0, 3)
    assert box_iou(some, none).shape == (3, 0)
    assert box_iou(none, none).shape == (0, 0)


def test_edges_are_the_sides_of_the_box_between_its_corners():
    boxes = drawn(5, 0)
    for box, own, ground in zip(boxes, edges(boxes), ground_corners(boxes), strict=True):
        lengths = np.linalg.norm(own[:, 0] - own[:, 1], axis=1)
        assert sorted(lengths) == pytest.approx(sorted([*box[3:6]] * 4))
        corners = [(*corner, box[2] + side * box[5] / 2) for corner in ground for side in (-1, 1)]
        ends = np.unique(own.reshape(-1, 3).round(9), axis=0)
        assert ends == pytest.approx(np.unique(np.round(corners, 9), axis=0))
