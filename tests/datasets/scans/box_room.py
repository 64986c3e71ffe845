"""A scan whose every figure is known: a camera inside a box, seen exactly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sem3d.datasets.scans.layouts import FrameRecord
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    INTRINSICS_COLOR,
    INTRINSICS_DEPTH,
    write_export,
    write_image,
    write_text_matrix,
)

ROOM = np.array([2.0, 1.4, 2.5])
"""Half the sides of a room, metres."""


def room_pose(number: float) -> np.ndarray:
    """A camera that turns about its y by 4 degrees a frame and goes 5 cm sideways."""
    turn = np.deg2rad(4.0 * number)
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    pose[:3, 3] = 0.05 * number - 0.2, 0.1, -0.3
    return pose


def nodding_pose(number: int) -> np.ndarray:
    """The same camera in a hand: it also nods, and goes faster and slower."""
    nod = np.deg2rad(14.0 * np.sin(1.3 * number))
    pose = room_pose(number)
    pose[:3, :3] = pose[:3, :3] @ [[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]]
    pose[:3, 3] += 0.12 * np.sin(2.1 * number), 0.08 * np.cos(1.7 * number), 0.1 * np.cos(0.9 * number)
    return pose


def room_rays() -> np.ndarray:
    """Rays of the pixels of depth up to z = 1, (height, width, 3)."""
    v, u = np.mgrid[: DEPTH_SIZE[0], : DEPTH_SIZE[1]]
    return np.stack([u, v, np.ones(u.shape)], -1) @ np.linalg.inv(INTRINSICS_DEPTH).T


def room_depth(number: int, pose_of: Callable[[int], np.ndarray] = room_pose) -> np.ndarray:
    """Depth in metres from inside the room."""
    pose = pose_of(number)
    rays = room_rays() @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        reach = np.where(rays > 0, (ROOM - pose[:3, 3]) / rays, (-ROOM - pose[:3, 3]) / rays)
    return reach.min(-1)


def room_record(number: int, pose: np.ndarray, depth: str = "d") -> FrameRecord:
    """A frame of a scene with that camera."""
    return FrameRecord(
        scene="room",
        frame=number,
        color="c",
        depth=depth,
        world_from_camera=pose,
        intrinsics_color=INTRINSICS_COLOR,
        intrinsics_depth=INTRINSICS_DEPTH,
        color_size=COLOR_SIZE,
        depth_size=DEPTH_SIZE,
    )


def write_room(root: Path, units: float = 1000.0, pose_of: Callable[[int], np.ndarray] = room_pose) -> Path:
    """An export of twelve frames of that camera, its depth in ``units`` a metre."""
    folder = write_export(root, "scene0000_00", 12, step=1)
    for number in range(12):
        depth = room_depth(number, pose_of)
        write_image(folder / "depth" / f"{number}.png", np.rint(units * depth).astype(np.uint16))
        write_text_matrix(folder / "pose" / f"{number}.txt", pose_of(number))
    return folder


def room_mesh() -> tuple[np.ndarray, np.ndarray]:
    """The box as vertices and triangles."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * ROOM
    squares = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return corners, np.array([face for a, b, c, d in squares for face in ((a, b, c), (a, c, d))])
