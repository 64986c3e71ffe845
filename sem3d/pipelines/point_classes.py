"""Classes and features that a trained network finds at the points of a scene in memory."""

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8

from sem3d.datasets.collate_ragged import concatenate_numbered
from sem3d.datasets.scene_clouds import CollateClouds
from sem3d.methods.method import GivesPointLabels, Method
from sem3d.methods.voxel_features import VoxelFeatures
from sem3d.pipelines.given_cloud import voxels_of_cloud
from sem3d.runs.device import tensors


def classes_of_points(
    method: Method, where: str, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
) -> UInt8[np.ndarray, " point"]:
    """Return the train id of each point, metres, z up, turned about the vertical as often as the run's evaluation turns them.

    Raises :class:`UserError`, which names ``where`` they are from, for points that lie too far apart.
    """
    assert isinstance(method, GivesPointLabels)
    data, device = method.experiment.data, next(method.parameters()).device
    found = voxels_of_cloud(where, points, colors, data.voxel_size, data.evaluation_turns)
    nothing = {"point_label": np.zeros(len(points), np.uint8), "scene": np.array(0)}
    columns = CollateClouds(data.evaluation_turns)([found | nothing])
    with torch.no_grad():
        scores = method.point_scores(method.Batch(**tensors(columns, device)))
    return scores.argmax(1).to(torch.uint8).cpu().numpy()


def features_of_points(
    method: Method, where: str, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]
) -> tuple[Int[np.ndarray, "voxel 3"], Int[np.ndarray, " point"], Float32[np.ndarray, "voxel dim"]]:
    """Return the voxels of the points, the row of the one that holds each point, and what the 3D network gives each voxel.

    Raises :class:`UserError`, which names ``where`` they are from, for points that lie too far apart.
    """
    assert isinstance(method, VoxelFeatures)
    found = voxels_of_cloud(where, points, colors, method.experiment.data.voxel_size)
    device = next(method.parameters()).device
    columns = tensors({"voxel": concatenate_numbered([found["voxel"]]), "color": found["voxel_color"]}, device)
    with torch.no_grad():
        features = method.features_of_voxels(columns["voxel"], columns["color"])
    return found["voxel"], found["point_voxel"][:, 0], features.float().cpu().numpy()
