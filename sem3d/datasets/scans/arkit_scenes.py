"""ARKitScenes' raw scans: ``<video>/lowres_wide/<video>_<time>.png``, ``lowres_depth/``, ``lowres_wide_intrinsics/``,
``lowres_wide.traj``.

The root holds videos, also as the release's ``{Training,Validation}/<video>``, or is one; those two names are the splits. Depth
is 16 bit, millimetres, 192 x 256 as colour is. A line of the trajectory is ``time, rotation, translation`` of camera-from-world,
the rotation as an axis times its angle; a frame takes the one nearest in time within 0.02 s. A ``.pincam`` is ``w h fx fy cx
cy``. A frame's number is its time in milliseconds, as a file's name has it.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.layouts import FrameRecord, color_and_depth_size, each_read, every, scene_folders, scene_name
from sem3d.datasets.scans.scannet import find_label
from sem3d.datasets.scans.trajectories import nearest_time, pose_of_axis, read_numbers
from sem3d.errors import BadSample
from sem3d.folders import entries, is_there
from sem3d.geometry.cameras import invert_rigid

COLOR, DEPTH, CAMERA, LABEL, TRAJECTORY = (
    "lowres_wide",
    "lowres_depth",
    "lowres_wide_intrinsics",
    "label",
    "lowres_wide.traj",
)
TIMED = re.compile(r".*_(\d{1,12})\.(\d{3})\.(?:png|jpe?g|pincam)", re.IGNORECASE)
SPLITS = {"training": "train", "validation": "val"}
APART = 0.02
"""Seconds between a frame and its pose, at most."""


class ARKitScenes:
    """See the module."""

    looked_for = f"{COLOR}, {DEPTH} and {TRAJECTORY} in the folder or its folders"
    stride = 500

    def detect(self, root: Path) -> bool:
        """Return whether a video's folder is there."""
        return any(is_video(folder) for folder in scene_folders(root))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield frames of each video at least ``stride`` milliseconds apart; each needs colour, depth, camera and pose."""
        for folder in filter(is_video, scene_folders(root)):
            scene = scene_name(root, folder)
            try:
                poses = read_numbers(folder / TRAJECTORY, 7)
                poses = poses[np.argsort(poses[:, 0], kind="stable")]
                files = {kind: timed(folder / kind) for kind in (COLOR, DEPTH, CAMERA, LABEL)}
            except BadSample as error:
                yield Quarantined.of(error, scene)
                continue
            read = partial(read_frame, root, folder, files, poses)
            yield from each_read(folder, scene, every(files[COLOR].keys() | files[DEPTH].keys(), stride), read)


def is_video(folder: Path) -> bool:
    """Return whether a folder has colour, depth and a trajectory."""
    return all(is_there(folder / name) for name in (COLOR, DEPTH, TRAJECTORY))


def timed(folder: Path) -> dict[int, Path]:
    """Return the files of a folder by the milliseconds that their names end with; nothing where there is no such folder."""
    found = {}
    for path in entries(folder) if is_there(folder) else ():
        if match := TIMED.fullmatch(path.name):
            found[int(match[1]) * 1000 + int(match[2])] = path
    return found


def read_frame(
    root: Path, folder: Path, files: dict[str, dict[int, Path]], poses: Float[np.ndarray, "pose 7"], number: int
) -> FrameRecord:
    """Return one frame's record; raises :class:`BadSample` for missing or unreadable files."""
    absent = next((kind for kind in (COLOR, DEPTH, CAMERA) if number not in files[kind]), "")
    if absent:
        raise BadSample(str(folder / absent), f"missing file: none of time {number / 1000:.3f}")
    color, depth = files[COLOR][number], files[DEPTH][number]
    of_pose = nearest_time(poses[:, 0], number / 1000, APART)
    if of_pose is None:
        raise BadSample(str(color), f"no pose within {APART:g} s of its time")
    color_size, depth_size = color_and_depth_size(color, depth)
    camera = read_numbers(files[CAMERA][number], 6)
    if len(camera) != 1 or tuple(camera[0, :2]) != color_size[::-1]:
        raise BadSample(
            str(files[CAMERA][number]), f"no camera of {color_size[1]}x{color_size[0]}: one line w h fx fy cx cy"
        )
    if depth_size != color_size:
        raise BadSample(str(depth), f"bad sizes: colour {color_size}, depth {depth_size} (height, width)")
    _, _, fx, fy, cx, cy = camera[0]
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    return FrameRecord(
        scene=scene_name(root, folder),
        frame=number,
        split=SPLITS.get(folder.parent.name.lower(), "") if folder != root else "",
        color=color.relative_to(root).as_posix(),
        depth=depth.relative_to(root).as_posix(),
        label=find_label(root, files[LABEL].get(number)),
        world_from_camera=invert_rigid(pose_of_axis(poses[of_pose, 4:], poses[of_pose, 1:4])),
        intrinsics_color=intrinsics,
        intrinsics_depth=intrinsics,
        color_size=color_size,
        depth_size=depth_size,
    )
