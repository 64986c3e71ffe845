"""The classes that a trained network finds at the points of a scene in memory."""

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from sem3d.datasets.scene_clouds import CollateClouds, voxels_of_turns
from sem3d.errors import UserError
from sem3d.methods.method import GivesPointLabels, Method
from sem3d.runs.device import tensors


def classes_of_points(
    method: Method, where: str, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
) -> UInt8[np.ndarray, " point"]:
    """Return the train id of each point, metres, z up, turned about the vertical as often as the run's evaluation turns them.

    Raises :class:`UserError`, which names ``where`` they are from, for points that lie too far apart.
    """
    assert isinstance(method, GivesPointLabels)
    data, device = method.experiment.data, next(method.parameters()).device
    try:
        found = voxels_of_turns(
            points - points.mean(axis=0, dtype=np.float64), colors, data.voxel_size, data.evaluation_turns
        )
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    nothing = {"point_label": np.zeros(len(points), np.uint8), "scene": np.array(0)}
    columns = CollateClouds(data.evaluation_turns)([found | nothing])
    with torch.no_grad():
        scores = method.point_scores(method.Batch(**tensors(columns, device)))
    return scores.argmax(1).to(torch.uint8).cpu().numpy()
