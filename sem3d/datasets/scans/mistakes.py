"""Mistakes that people make with RGB-D scans, each as a change of frames that undoes it.

Where frames that contradict one another agree once a mistake is undone, it was made. All of it is geometry of depth and poses:
a mistake that leaves frames in agreement, such as depth upside down of a camera that only turns about its own y, tells nobody.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.left_out import stored_pose
from sem3d.geometry.cameras import invert_rigid, orthonormalise, pose_fault

Frame = tuple[FrameRecord, Float32[np.ndarray, "_ _"]]
"""A frame and its depth in metres."""


@dataclass(frozen=True)
class Explanation:
    """A mistake: how a frame would be without it, or None where that cannot be known, and the words for it and its remedy."""

    undone: Callable[[Frame], Frame | None]
    says: str

    def applied(self, groups: Sequence[Sequence[Frame]]) -> list[list[Frame]]:
        """Return groups of frames with the mistake undone."""
        return [[changed for frame in group if (changed := self.undone(frame))] for group in groups]


def explanations(root: Path, records: Sequence[FrameRecord]) -> list[Explanation]:
    """Return the mistakes that the frames of a scene may have been spoiled by."""
    focal_x, focal_y = records[0].intrinsics_depth[[0, 1], [0, 1]]
    return [
        Explanation(
            of_z, "depth is taken as the length of each pixel's ray: store z, the length times cos of its angle"
        ),
        Explanation(lambda frame: (frame[0], frame[1][::-1]), "the rows of depth run upwards: turn its images round"),
        Explanation(lambda frame: (frame[0], frame[1][:, ::-1]), "depth is taken as mirrored: mirror its images back"),
        Explanation(
            lambda frame: with_focal(frame, y=focal_x),
            f"fy of depth, {focal_y:g}, is {focal_x:g} as fx: mend the intrinsics",
        ),
        Explanation(
            lambda frame: with_focal(frame, x=focal_y),
            f"fx of depth, {focal_x:g}, is {focal_y:g} as fy: mend the intrinsics",
        ),
        Explanation(
            with_pose(lambda pose: invert_rigid(orthonormalise(pose))),
            "poses are taken as those of the world in the camera: store their inverses",
        ),
        Explanation(
            with_pose(lambda pose: pose * [1, -1, -1, 1]),
            "axes of the camera are taken as y up and z backward: turn them to y down and z forward",
        ),
        Explanation(
            with_pose_of(root, records, -1), "each frame has the pose of the one after it: number the poses one higher"
        ),
        Explanation(
            with_pose_of(root, records, 1), "each frame has the pose of the one before it: number the poses one lower"
        ),
    ]


def ray_lengths(record: FrameRecord) -> Float[np.ndarray, "height width"]:
    """Return the length of each depth pixel's ray up to z = 1."""
    height, width = record.depth_size
    v, u = np.mgrid[:height, :width]
    camera = record.intrinsics_depth
    return np.sqrt(1 + ((u - camera[0, 2]) / camera[0, 0]) ** 2 + ((v - camera[1, 2]) / camera[1, 1]) ** 2)


def of_z(frame: Frame) -> Frame:
    """Return a frame whose depth was the length along the ray, with z in its place."""
    record, depth = frame
    return record, (depth / ray_lengths(record)).astype(np.float32)


def with_focal(frame: Frame, x: float | None = None, y: float | None = None) -> Frame:
    """Return a frame with other focal lengths of its depth, pixels."""
    record, depth = frame
    camera = record.intrinsics_depth.copy()
    camera[0, 0], camera[1, 1] = x or camera[0, 0], y or camera[1, 1]
    return dataclasses.replace(record, intrinsics_depth=camera), depth


def with_pose(
    change: Callable[[Float[np.ndarray, "4 4"]], Float[np.ndarray, "4 4"]],
) -> Callable[[Frame], Frame | None]:
    """Return a change of a frame's pose by itself."""
    return lambda frame: (
        dataclasses.replace(frame[0], world_from_camera=change(frame[0].world_from_camera)),
        frame[1],
    )


def with_pose_of(root: Path, records: Sequence[FrameRecord], step: int) -> Callable[[Frame], Frame | None]:
    """Return a change that gives a frame the pose whose number is ``step`` higher, also one that a stride left out; None where
    there is none or no rigid one.
    """
    taken = {record.frame: record.world_from_camera for record in records}

    def moved(frame: Frame) -> Frame | None:
        record, number = frame[0], frame[0].frame + step
        pose = taken[number] if number in taken else stored_pose(root, record, number)
        if pose is None or pose_fault(pose):
            return None
        return dataclasses.replace(record, world_from_camera=pose), frame[1]

    return moved
