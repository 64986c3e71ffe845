"""Average precision of 3D boxes over a whole split, as VoteNet's code has it (``utils/eval_det.py``).

Of each class, boxes of all scenes come by falling score; one is right if its overlap with that object of its class and scene
which it overlaps most is above the threshold and no box before it has been right about the same object, and wrong otherwise.
Average precision is the area under precision by recall, each precision raised to the highest at any larger recall (the rule of
VOC 2010, all points). The mean is over the classes that have objects. Boxes of equal score keep the order of scenes and rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from sem3d.evaluation.segmentation import mean_of_known
from sem3d.geometry.boxes import BOX, box_iou

THRESHOLDS = (0.25, 0.5)


@dataclass(frozen=True)
class SceneDetections:
    """Answers for one scene beside its objects, boxes as :mod:`sem3d.geometry.boxes` has them."""

    boxes: Float[np.ndarray, "box 7"]
    scores: Float[np.ndarray, "box class"]
    """Of each box as one of each class; nan where it is none."""
    objects: Float[np.ndarray, "object 7"]
    classes: Int[np.ndarray, " object"]


@dataclass(frozen=True)
class DetectionScore:
    """Average precision and recall of each class at one threshold; nan where a class has no object."""

    precision: Float64[np.ndarray, " class"]
    recall: Float64[np.ndarray, " class"]

    @property
    def mean_precision(self) -> float:
        """Return mean average precision over the classes that have objects; nan without any."""
        return mean_of_known(self.precision)

    @property
    def mean_recall(self) -> float:
        """Return mean recall of all boxes over the classes that have objects; nan without any."""
        return mean_of_known(self.recall)


def scene_record(scene: SceneDetections) -> dict[str, Any]:
    """Return a scene as a record of an evaluation."""
    return {"boxes": scene.boxes, "scores": scene.scores, "objects": scene.objects, "classes": scene.classes}


def recorded_scene(record: Mapping[str, Any]) -> SceneDetections:
    """Return the scene that :func:`scene_record` made a record of."""
    return SceneDetections(record["boxes"], record["scores"], record["objects"], record["classes"])


def detection_scores(
    scenes: Iterable[SceneDetections], classes: int, thresholds: Sequence[float] = THRESHOLDS
) -> list[DetectionScore]:
    """Return the score at each of ``thresholds`` of overlap, which count as above when they are exceeded."""
    scenes = list(scenes)
    overlaps = [box_iou(scene.boxes.reshape(-1, BOX), scene.objects.reshape(-1, BOX)) for scene in scenes]
    precision, recall = np.full((2, len(thresholds), classes), np.nan)
    for number in range(classes):
        objects = sum(int((scene.classes == number).sum()) for scene in scenes)
        if objects:
            overlap, target = matched_by_score(scenes, overlaps, number)
            for row, threshold in enumerate(thresholds):
                right = first_of_each(overlap > threshold, target)
                precision[row, number] = average_precision(right, objects)
                recall[row, number] = right.sum() / objects
    return [DetectionScore(*of_one) for of_one in zip(precision, recall, strict=True)]


def matched_by_score(
    scenes: Sequence[SceneDetections], overlaps: Sequence[Float64[np.ndarray, "_ _"]], number: int
) -> tuple[Float64[np.ndarray, " answer"], Int[np.ndarray, " answer"]]:
    """Return of all boxes proposed as one class, by falling score, the largest overlap with an object of that class (-1 where the
    scene has none), and the number of that object among all.
    """
    scores, best, target = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.int64)]
    before = 0
    for scene, overlap in zip(scenes, overlaps, strict=True):
        proposed = ~np.isnan(scene.scores[:, number])
        own = np.flatnonzero(scene.classes == number)
        among = overlap[proposed][:, own]
        nearest = among.argmax(axis=1) if len(own) else np.zeros(len(among), np.int64)
        scores.append(scene.scores[proposed, number].astype(np.float64))
        best.append(among.max(axis=1, initial=-1.0))
        target.append(before + nearest)
        before += len(own)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return np.concatenate(best)[order], np.concatenate(target)[order]


def first_of_each(
    close: Bool[np.ndarray, " answer"], target: Int[np.ndarray, " answer"]
) -> Bool[np.ndarray, " answer"]:
    """Return which answers are the first among the ``close`` ones with their target."""
    right = np.zeros(len(close), bool)
    rows = np.flatnonzero(close)
    right[rows[np.unique(target[rows], return_index=True)[1]]] = True
    return right


def average_precision(right: Bool[np.ndarray, " answer"], objects: int) -> float:
    """Return the area under precision by recall of answers in falling order of score, out of ``objects`` there are."""
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float((highest * np.diff(found / objects, prepend=0.0)).sum())


def detection_metrics(scores: Sequence[DetectionScore], thresholds: Sequence[float] = THRESHOLDS) -> dict[str, float]:
    """Return mean average precision and recall by names such as ``map_25``, shares of 1."""
    found = {f"map_{100 * at:.0f}": one.mean_precision for at, one in zip(thresholds, scores, strict=True)}
    return found | {f"recall_{100 * at:.0f}": one.mean_recall for at, one in zip(thresholds, scores, strict=True)}


def detection_tables(
    scores: Sequence[DetectionScore], names: Sequence[str], thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, dict[str, float]]:
    """Return the average precision of each class that has objects, by title."""
    return {
        f"ap_{100 * at:.0f}_by_class": {
            name: float(value) for name, value in zip(names, one.precision, strict=True) if not np.isnan(value)
        }
        for at, one in zip(thresholds, scores, strict=True)
    }
