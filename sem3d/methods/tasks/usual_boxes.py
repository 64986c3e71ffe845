"""Marks of 3D detection: boxes where objects usually are, and the classes that a label budget shows."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from sem3d.config import Experiment
from sem3d.datasets.box_motion import STILL
from sem3d.datasets.scans.box_classes import BOX_CLASSES
from sem3d.datasets.scene_boxes import LoadBoxes
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample
from sem3d.evaluation.box_choice import unsuppressed
from sem3d.evaluation.detection import THRESHOLDS, SceneDetections, detection_metrics, detection_scores
from sem3d.geometry.boxes import BOX, box_iou
from sem3d.methods.method import HELD_OUT, TRAIN, Marks, Sources
from sem3d.methods.tasks.frequent_classes import basis, chosen_rows

MOST_CANDIDATES = 500
"""Boxes of a class that are tried, evenly spread over those of the training samples."""
Objects = tuple[Float[np.ndarray, "object 7"], Int[np.ndarray, " object"]]


def marks(experiment: Experiment, sources: Sources) -> Marks:
    """Return the scores of a detector that never sees the points, and of one that is right about all classes it was shown.

    The first answers with the boxes of training objects, each placed as it was to the middle of its own sample's points, and
    scored by the share of the training samples that have an object of its class there. The second has no answer for a class that
    was never shown. Samples that cannot be used count in neither.
    """
    names = BOX_CLASSES[experiment.data.boxes].names
    train, held_out = (list(objects_of(sources[name])) for name in (TRAIN, HELD_OUT))
    boxes, scores = usual_boxes(train, len(names))
    shown = np.zeros(len(names), bool)
    shown[np.concatenate([[], *(named for _, named in train)]).astype(int)] = True
    floor = [SceneDetections(boxes, scores, *scene) for scene in held_out]
    bound = [SceneDetections(scene[0], known(scene[1], shown), *scene) for scene in held_out]
    missing = sorted({int(number) for _, named in held_out for number in named if not shown[number]})
    return Marks(
        floor=detection_metrics(detection_scores(floor, len(names))),
        bound=detection_metrics(detection_scores(bound, len(names))),
        never_shown=tuple(names[number] for number in missing),
        basis=basis(sources, "scenes or chunks"),
    )


def objects_of(samples: Samples) -> Iterator[Objects]:
    """Yield boxes around the middle of the points, and their classes, of the chosen samples that can be used."""
    load = samples.load
    assert isinstance(load, LoadBoxes)
    for row in samples.table.take(chosen_rows(samples)).to_pylist():
        try:
            scene = load.scene(row, STILL)
        except BadSample:
            continue
        yield scene.boxes, scene.named


def usual_boxes(
    scenes: Sequence[Objects], classes: int
) -> tuple[Float[np.ndarray, "box 7"], Float[np.ndarray, "box class"]]:
    """Return boxes that objects of the scenes usually fill, and their scores, nan for all classes but their own."""
    boxes, scores = [np.zeros((0, BOX))], [np.zeros((0, classes))]
    for number in range(classes):
        of_scene = [found[named == number] for found, named in scenes]
        every = np.concatenate([np.zeros((0, BOX)), *of_scene])
        rows = np.linspace(0, max(len(every) - 1, 0), min(len(every), MOST_CANDIDATES)).round().astype(int)
        tried = every[rows]
        usual = np.zeros(len(tried))
        for own in of_scene:
            usual += (box_iou(tried, own) > THRESHOLDS[0]).any(axis=1)
        order = np.argsort(-usual, kind="stable")
        order = order[unsuppressed(tried[order], np.zeros(len(order), np.int64), THRESHOLDS[0])]
        answers = np.full((len(order), classes), np.nan)
        answers[:, number] = usual[order] / len(scenes)
        boxes.append(tried[order])
        scores.append(answers)
    return np.concatenate(boxes), np.concatenate(scores)


def known(named: Int[np.ndarray, " object"], shown: np.ndarray) -> Float[np.ndarray, "object class"]:
    """Return scores of 1 of objects as what they are, nan for all else and where their class was not ``shown``."""
    scores = np.full((len(named), len(shown)), np.nan)
    told = np.flatnonzero(shown[named])
    scores[told, named[told]] = 1.0
    return scores
