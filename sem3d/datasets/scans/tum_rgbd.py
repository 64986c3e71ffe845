"""TUM RGB-D and its like: ``rgb.txt`` and ``depth.txt``, lists of a time and a file, and ``groundtruth.txt``, poses by time.

The root is one such sequence or holds some. Depth is 16 bit, 5000 units a metre, registered to colour; a pose is that of the
colour camera in the world, as ``time tx ty tz qx qy qz qw``. A colour image takes the depth image and the pose nearest in time,
each within 0.02 s, as the benchmark's own tools do. Its number is its place in ``rgb.txt``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import locate
from sem3d.datasets.scans.layouts import (
    FrameRecord,
    color_and_depth_size,
    each_read,
    every,
    read_matrix,
    scene_folders,
    scene_name,
)
from sem3d.datasets.scans.numbered import upward
from sem3d.datasets.scans.scannet import find_label
from sem3d.datasets.scans.trajectories import nearest_time, pose_of_quaternion, read_numbers, read_rows
from sem3d.errors import BadSample
from sem3d.folders import is_there

LISTS = ("rgb.txt", "depth.txt", "groundtruth.txt")
APART = 0.02
"""Seconds between images or poses that belong together, at most."""
DEPTH_SCALE = 5000.0
SIZE = (480, 640)
CAMERAS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}
"""fx, fy, cx, cy of 480 x 640 pixels, by the word in a sequence's name, from the benchmark's page."""
FREIBURG = re.compile("freiburg[123]", re.IGNORECASE)
DISTORTED = "freiburg1", "freiburg2"


@dataclass(frozen=True)
class Sequence:
    """Content of the lists of a sequence; times ascend."""

    color: list[tuple[float, str]]
    depth: list[tuple[float, str]]
    pose_times: Float[np.ndarray, " pose"]
    poses: Float[np.ndarray, "pose 7"]


@dataclass(frozen=True)
class Camera:
    """Intrinsics of colour and depth."""

    intrinsics: Float[np.ndarray, "3 3"]
    size: tuple[int, int] | None = None
    """(height, width) that they are of, where that is known."""
    note: str = ""


class TumRgbd:
    """See the module."""

    looked_for = "rgb.txt, depth.txt and groundtruth.txt in the folder or its folders"
    stride = 10

    def detect(self, root: Path) -> bool:
        """Return whether a folder with the three lists is there."""
        return any(is_sequence(folder) for folder in scene_folders(root))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield every ``stride``-th colour image of each sequence; it needs depth and a pose of its time."""
        for folder in filter(is_sequence, scene_folders(root)):
            scene = scene_name(root, folder)
            try:
                sequence = read_sequence(folder)
                camera = camera_of(root, folder)
            except BadSample as error:
                yield Quarantined.of(error, scene)
                continue
            read = partial(read_frame, root, folder, sequence, camera)
            yield from each_read(folder, scene, every(range(len(sequence.color)), stride), read)


def is_sequence(folder: Path) -> bool:
    """Return whether a folder has the three lists."""
    return all(is_there(folder / name) for name in LISTS)


def read_sequence(folder: Path) -> Sequence:
    """Return what the lists of a folder say; raises :class:`BadSample` for a line that is none of them."""
    color, depth = (timed_files(folder / name) for name in LISTS[:2])
    poses = read_numbers(folder / LISTS[2], 8)
    poses = poses[np.argsort(poses[:, 0], kind="stable")]
    return Sequence(color, depth, poses[:, 0], poses[:, 1:])


def timed_files(path: Path) -> list[tuple[float, str]]:
    """Return time and name of each file of a list, by time; raises :class:`BadSample` for a line without a time."""
    try:
        return sorted((float(time), name) for time, name in read_rows(path, 2))
    except ValueError as error:
        raise BadSample(str(path), f"unreadable time: {error}") from error


def camera_of(root: Path, folder: Path) -> Camera:
    """Return the camera of a sequence: ``camera-intrinsics.txt`` of the folder, or of one above it up to the root, else the
    benchmark's own.

    Raises :class:`BadSample` where the sequence is none of the benchmark's either.
    """
    if path := upward(root, folder, "camera-intrinsics.txt"):
        return Camera(read_matrix(path, 3))
    if not (match := FREIBURG.search(folder.resolve().name)):
        path = folder / "camera-intrinsics.txt"
        raise BadSample(str(path), "missing file: fx 0 cx / 0 fy cy / 0 0 1 of the colour images")
    fx, fy, cx, cy = CAMERAS[match[0].lower()]
    note = "lens distortion of this camera is not undone" if match[0].lower() in DISTORTED else ""
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), SIZE, note)


def read_frame(root: Path, folder: Path, sequence: Sequence, camera: Camera, number: int) -> FrameRecord:
    """Return the record of a colour image; raises :class:`BadSample` where nothing of its time is there, or a file is none."""
    time, name = sequence.color[number]
    source = str(folder / name)
    depth_times = np.array([one for one, _ in sequence.depth])
    of_depth = nearest_time(depth_times, time, APART)
    of_pose = nearest_time(sequence.pose_times, time, APART)
    if of_depth is None or of_pose is None:
        missing = "depth image" if of_depth is None else "pose"
        raise BadSample(source, f"no {missing} within {APART:g} s of its time")
    below = folder.relative_to(root)
    color, depth = ((below / one).as_posix() for one in (name, sequence.depth[of_depth][1]))
    color_size, depth_size = color_and_depth_size(locate(root, color), locate(root, depth))
    if color_size != depth_size:
        raise BadSample(source, f"bad sizes: colour {color_size}, depth {depth_size} (height, width) of one camera")
    if camera.size not in (None, color_size):
        raise BadSample(
            source, f"bad intrinsics: known for {camera.size}, not for {color_size}: give camera-intrinsics.txt"
        )
    label = folder / "label" / f"{Path(name).stem}.png"
    return FrameRecord(
        scene=scene_name(root, folder),
        frame=number,
        color=color,
        depth=depth,
        label=find_label(root, label if is_there(label) else None),
        world_from_camera=pose_of_quaternion(sequence.poses[of_pose, :3], sequence.poses[of_pose, 3:]),
        intrinsics_color=camera.intrinsics,
        intrinsics_depth=camera.intrinsics,
        color_size=color_size,
        depth_size=depth_size,
        depth_scale=DEPTH_SCALE,
        note=camera.note,
    )
