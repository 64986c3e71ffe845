"""The boxes that a trained network finds around the objects among points in memory."""

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from sem3d.datasets.scene_boxes import MOST_HOLDERS, CollateBoxes, voxels_and_seeds
from sem3d.errors import UserError
from sem3d.evaluation.detection import recorded_scene
from sem3d.geometry.boxes import BOX
from sem3d.methods.tasks.object_detection_3d import ObjectDetection3D
from sem3d.runs.device import tensors

Found = tuple[Float[np.ndarray, "box 7"], Float[np.ndarray, "box class"]]


def boxes_of_points(
    method: ObjectDetection3D, where: str, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
) -> Found:
    """Return the boxes that a method keeps and their scores as each class, in the frame of the points.

    They see as many points as an evaluation's, drawn the same each time. Raises :class:`UserError`, which names
    ``where`` they are from, for points too far apart.
    """
    data, middle = method.experiment.data, points.mean(axis=0, dtype=np.float64)
    drawn = np.random.default_rng(0).permutation(len(points))[: data.most_points or None]
    try:
        columns, _ = voxels_and_seeds(points[drawn] - middle, colors[drawn], data)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    unknown = CollateBoxes(data.seeds, MOST_HOLDERS).empty()
    loaded = unknown | columns | {"scene": np.array(0)}
    device = next(method.parameters()).device
    batch = method.Batch(**tensors(CollateBoxes(data.seeds, MOST_HOLDERS)([loaded]), device))
    with torch.no_grad():
        _, found = method.found(batch)
        ((_, _, record),) = method.answers(batch, found)
    scene = recorded_scene(record)
    return scene.boxes + np.pad(middle, (0, BOX - len(middle))), scene.scores


def described_boxes(boxes: Found, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Return boxes as JSON has them: class, score, objectness, center, size, heading."""
    return [described(box, scores.argmax(), scores, names) for box, scores in zip(*boxes, strict=True)]


def described(
    box: Float[np.ndarray, "7"], named: np.integer, scores: Float[np.ndarray, " class"], names: tuple[str, ...]
) -> dict[str, object]:
    """Return a box as JSON has it."""
    numbers = [round(float(value), 4) for value in box]
    return {
        "class": names[int(named)],
        "score": round(float(scores[named]), 4),
        "objectness": round(float(scores.sum()), 4),
        "center": numbers[:3],
        "size": numbers[3:6],
        "heading": numbers[6],
    }
