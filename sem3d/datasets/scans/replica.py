"""Replica as NICE-SLAM and its successors render it: ``<scene>/results/{frame,depth}000000.{jpg,png}`` and ``<scene>/traj.txt``.

The root holds scenes or is one. A line of ``traj.txt`` is the 4x4 camera-to-world matrix of a frame, row by row.
``cam_params.json`` of the scene, or of a folder above it up to the root, has the camera: ``w h fx fy cx cy`` and ``scale``, depth
units a metre.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.layouts import (
    COLOR_ENDINGS,
    FrameRecord,
    color_and_depth_size,
    each_read,
    every,
    scene_folders,
    scene_name,
)
from sem3d.datasets.scans.named_numbers import finite, positive, read_sample_json
from sem3d.datasets.scans.numbered import file_of, numbered, upward
from sem3d.datasets.scans.scannet import find_label
from sem3d.datasets.scans.trajectories import read_numbers
from sem3d.errors import BadSample
from sem3d.folders import is_there

TRAJECTORY, RESULTS, CAMERA = "traj.txt", "results", "cam_params.json"


class Replica:
    """See the module."""

    looked_for = "traj.txt and results/depth*.png in the folder or its folders"
    stride = 10

    def detect(self, root: Path) -> bool:
        """Return whether a folder with a trajectory and results is there."""
        return any(is_scene(folder) for folder in scene_folders(root))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield every ``stride``-th frame of each scene; it needs colour, depth and its line of the trajectory."""
        for folder in filter(is_scene, scene_folders(root)):
            scene = scene_name(root, folder)
            try:
                poses = read_numbers(folder / TRAJECTORY, 16).reshape(-1, 4, 4)
                camera = read_camera(root, folder)
                files = {
                    kind: numbered(folder / RESULTS, endings, kind)
                    for kind, endings in (("frame", COLOR_ENDINGS), ("depth", (".png",)), ("label", (".png",)))
                }
            except BadSample as error:
                yield Quarantined.of(error, scene)
                continue
            read = partial(read_frame, root, folder, files, poses, camera)
            yield from each_read(folder, scene, every(files["frame"].keys() | files["depth"].keys(), stride), read)


def is_scene(folder: Path) -> bool:
    """Return whether a folder has a trajectory and results."""
    return is_there(folder / TRAJECTORY) and is_there(folder / RESULTS)


def read_camera(root: Path, folder: Path) -> dict[str, float]:
    """Return the numbers of the camera; raises :class:`BadSample` where they are not there."""
    path = upward(root, folder, CAMERA)
    if path is None:
        raise BadSample(str(folder / CAMERA), "missing file")
    content = read_sample_json(path)
    camera = content.get("camera", content) if isinstance(content, dict) else None
    if not isinstance(camera, dict):
        raise BadSample(str(path), "no camera: it has no w, h, fx, fy, cx, cy, scale")
    named = {name: positive(camera, name, str(path)) for name in ("w", "h", "fx", "fy", "scale")}
    return named | {name: finite(camera, name, str(path)) for name in ("cx", "cy")}


def read_frame(
    root: Path,
    folder: Path,
    files: dict[str, dict[int, Path]],
    poses: Float[np.ndarray, "frame 4 4"],
    camera: dict[str, float],
    number: int,
) -> FrameRecord:
    """Return one frame's record; raises :class:`BadSample` for missing or unreadable files, or another size."""
    color, depth = (file_of(files[kind], folder / RESULTS, number) for kind in ("frame", "depth"))
    if number >= len(poses):
        raise BadSample(str(color), f"no pose: {TRAJECTORY} has {len(poses)} lines")
    color_size, depth_size = color_and_depth_size(color, depth)
    stated = (round(camera["h"]), round(camera["w"]))
    if color_size != stated or depth_size != stated:
        raise BadSample(str(color), f"bad sizes: {CAMERA} is of {stated[1]}x{stated[0]}, colour and depth are not")
    intrinsics = np.array([[camera["fx"], 0, camera["cx"]], [0, camera["fy"], camera["cy"]], [0, 0, 1.0]])
    return FrameRecord(
        scene=scene_name(root, folder),
        frame=number,
        color=color.relative_to(root).as_posix(),
        depth=depth.relative_to(root).as_posix(),
        label=find_label(root, files["label"].get(number)),
        world_from_camera=poses[number],
        intrinsics_color=intrinsics,
        intrinsics_depth=intrinsics,
        color_size=color_size,
        depth_size=depth_size,
        depth_scale=camera["scale"],
    )
