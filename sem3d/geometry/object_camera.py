"""Cameras around an object in ShapeNetCore's frame (y up, front at -z), and the same in the SRN layout's world (z up).

A camera is given by azimuth and polar angle of the direction from the object's middle to it, and by where that middle lies in the
camera's frame: ``x_camera = R(azimuth, polar) x_object + (right, below, distance)``, OpenCV's axes. The direction is
``(sin p sin a, cos p, sin p cos a)``, so azimuth is ``atan2(x, z)`` and the polar angle counts from straight above
(SemanticTransfer ``viewpoint.py``); there is no roll.
"""

import numpy as np
from jaxtyping import Float

FOCAL_SHARE = 784.46 / 480
"""Focal length as a share of the picture's side (ShapeHD, issue 11)."""
Z_UP_FROM_Y_UP = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""From ShapeNetCore's frame to a world with z up and the front at -y; its own inverse."""


def centred_intrinsics(side: int) -> Float[np.ndarray, "3 3"]:
    """Return pinhole intrinsics of a square picture; centres of pixels lie at whole numbers + 0.5, as in the SRN layout."""
    return np.array([[FOCAL_SHARE * side, 0.0, side / 2], [0.0, FOCAL_SHARE * side, side / 2], [0.0, 0.0, 1.0]])


def camera_from_object(azimuth: float, polar: float, middle: tuple[float, float, float]) -> Float[np.ndarray, "4 4"]:
    """Return the transform of a camera, angles in radians, ``middle`` in the camera's frame."""
    transform = np.eye(4)
    transform[:3, :3] = [
        [np.cos(azimuth), 0.0, -np.sin(azimuth)],
        [np.cos(polar) * np.sin(azimuth), -np.sin(polar), np.cos(polar) * np.cos(azimuth)],
        [-np.sin(polar) * np.sin(azimuth), -np.cos(polar), -np.sin(polar) * np.cos(azimuth)],
    ]
    transform[:3, 3] = middle
    return transform


def world_from_camera(camera_from_object: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Return the pose of a camera in the world with z up."""
    pose = np.eye(4)
    pose[:3, :3] = Z_UP_FROM_Y_UP @ camera_from_object[:3, :3].T
    pose[:3, 3] = -pose[:3, :3] @ camera_from_object[:3, 3]
    return pose


def viewpoint_of(
    world_from_camera: Float[np.ndarray, "4 4"],
) -> tuple[float, float, Float[np.ndarray, "3"]]:
    """Return azimuth in [0, 2 pi), polar angle in [0, pi] and the object's middle in the camera's frame, of a pose with z up.

    The angles are those of the direction in which the camera looks, turned round; roll is not seen.
    """
    backward = -Z_UP_FROM_Y_UP @ world_from_camera[:3, 2]
    polar = float(np.arccos(np.clip(backward[1] / np.linalg.norm(backward), -1.0, 1.0)))
    azimuth = float(np.arctan2(backward[0], backward[2]) % (2 * np.pi))
    return azimuth, polar, -world_from_camera[:3, :3].T @ world_from_camera[:3, 3]
