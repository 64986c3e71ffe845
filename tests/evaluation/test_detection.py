"""Average precision of boxes against loops over answers and objects, and closed forms."""

import numpy as np
import pytest

from sem3d.evaluation.detection import (
    SceneDetections,
    average_precision,
    detection_metrics,
    detection_scores,
    detection_tables,
    recorded_scene,
    scene_record,
)
from tests.geometry.test_boxes import drawn
from tests.reference import boxes as reference

CLASSES = 4


def drawn_scene(seed: int, turned: bool) -> SceneDetections:
    """Some boxes near the objects of a scene and some elsewhere, of some classes each."""
    rng = np.random.default_rng(seed)
    objects = drawn(int(rng.integers(0, 6)), seed, turned)
    objects[:, :2] *= 4
    near = np.repeat(objects, 3, axis=0)
    near[:, :6] += rng.normal(0, 0.05, (len(near), 6))
    near[:, 3:6] = abs(near[:, 3:6])
    boxes = np.concatenate([near, drawn(4, seed + 100, turned)])
    scores = rng.random((len(boxes), CLASSES))
    scores[rng.random(scores.shape) < 0.4] = np.nan
    return SceneDetections(
        boxes.astype(np.float32), scores.astype(np.float32), objects, rng.integers(0, CLASSES - 1, len(objects))
    )


def by_loops(scenes: list[SceneDetections], number: int, threshold: float) -> tuple[float, float]:
    answers, objects = [], {}
    for place, scene in enumerate(scenes):
        for box, score in zip(scene.boxes, scene.scores[:, number], strict=True):
            if score == score:
                answers.append((float(score), place, [float(value) for value in box]))
        objects[place] = [
            box.tolist() for box, name in zip(scene.objects, scene.classes, strict=True) if name == number
        ]
    return reference.average_precision(answers, objects, threshold)


@pytest.mark.parametrize("turned", [True, False])
def test_precision_and_recall_are_those_of_loops(turned):
    scenes = [drawn_scene(seed, turned) for seed in range(12)]
    found = detection_scores(scenes, CLASSES)
    for threshold, score in zip((0.25, 0.5), found, strict=True):
        expected = [by_loops(scenes, number, threshold) for number in range(CLASSES - 1)]
        np.testing.assert_allclose(score.precision[:-1], [precision for precision, _ in expected], rtol=1e-12)
        np.testing.assert_allclose(score.recall[:-1], [recall for _, recall in expected], rtol=1e-12)
        assert np.isnan(score.precision[-1])  # answers, but no object
        assert 0.02 < score.mean_precision < 0.98
    metrics = detection_metrics(found)
    assert metrics["map_25"] == pytest.approx(np.nanmean(found[0].precision))
    assert metrics["recall_50"] == pytest.approx(np.nanmean(found[1].recall))
    assert metrics["map_25"] > metrics["map_50"]
    tables = detection_tables(found, "abcd")
    assert tables["ap_50_by_class"] == {name: found[1].precision[row] for row, name in enumerate("abc")}


def test_the_order_of_scenes_does_not_matter_without_equal_scores():
    scenes = [drawn_scene(seed, True) for seed in range(8)]
    for one, other in zip(detection_scores(scenes, CLASSES), detection_scores(scenes[::-1], CLASSES), strict=True):
        np.testing.assert_array_equal(one.precision, other.precision)


def test_precision_of_a_known_order():
    right = np.array([True, False, True, False, False])
    assert average_precision(right, 4) == pytest.approx(1 / 4 * 1 + 1 / 4 * 2 / 3)
    assert average_precision(right[1:], 1) == pytest.approx(1 / 2)
    assert average_precision(np.zeros(0, bool), 3) == 0.0


def scene(boxes, scores, objects) -> SceneDetections:
    return SceneDetections(
        np.array(boxes, float).reshape(-1, 7), np.array(scores, float).reshape(-1, 1), np.array(objects, float).reshape(-1, 7),
        np.zeros(len(objects), int),
    )  # fmt: skip


HERE, THERE = [0, 0, 0, 1, 1, 1, 0], [9, 0, 0, 1, 1, 1, 0]


def test_closed_forms():
    def precision(*scenes: SceneDetections) -> float:
        return detection_scores(scenes, 1)[1].precision[0]

    assert precision(scene([HERE, THERE], [0.2, 0.1], [HERE, THERE])) == 1
    assert precision(scene([HERE], [0.2], [HERE, THERE])) == 1 / 2
    assert precision(scene([HERE, HERE], [0.2, 0.1], [HERE])) == 1  # the second is wrong, and comes after all recall
    assert precision(scene([THERE, HERE], [0.2, 0.1], [HERE])) == 1 / 2
    assert precision(scene([HERE], [0.2], []), scene([HERE], [0.1], [HERE])) == 1 / 2  # of another scene
    assert precision(scene([], [], [HERE])) == 0
    assert precision(scene([HERE], [np.nan], [HERE])) == 0
    assert np.isnan(precision(scene([HERE], [0.2], [])))
    assert np.isnan(detection_scores([], 1)[0].mean_precision)


def test_an_overlap_must_exceed_the_threshold():
    third = [0, 0, 0.5, 1, 1, 1, 0]
    score = detection_scores([scene([third], [1.0], [HERE])], 1, (0.333, 1 / 3, 0.334))
    assert [one.recall[0] for one in score] == [1, 0, 0]


def test_scenes_keep_their_arrays_as_records():
    before = drawn_scene(3, True)
    after = recorded_scene(scene_record(before))
    assert all(np.array_equal(value, getattr(after, name), equal_nan=True) for name, value in vars(before).items())
