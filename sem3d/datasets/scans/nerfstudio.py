"""nerfstudio's ``transforms.json``, as ``ns-process-data`` writes it of Polycam, Record3D and others: one file a scene.

The root is such a folder or holds some. ``file_path`` and ``depth_file_path`` of a frame are relative to the file; depth is 16
bit, millimetres unless ``depth_unit_scale_factor`` says how many metres a unit has. ``transform_matrix`` is camera-to-world of a
camera that looks along -z with y up (OpenGL); positions are divided by ``applied_scale``, so that they are metres again.
Intrinsics are those of the frame, or of all frames. The lists ``{train,val,test}_filenames`` are the splits; test is held out as
val is. A capture without depth cannot be learnt from here.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.frames import locate
from sem3d.datasets.scans.layouts import FrameRecord, color_and_depth_size, each_read, every, scene_folders, scene_name
from sem3d.datasets.scans.named_numbers import finite, positive, read_sample_json
from sem3d.datasets.scans.scannet import find_label
from sem3d.errors import BadSample
from sem3d.folders import is_there
from sem3d.geometry.cameras import resize_intrinsics

FILE = "transforms.json"
SPLITS = {"train_filenames": "train", "val_filenames": "val", "test_filenames": "val"}
PINHOLE = ("", "PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
"""Models whose images are those of a pinhole but for a lens distortion."""
LENS = ("k1", "k2", "k3", "k4", "p1", "p2")
LARGEST_DISTORTION = 1e-3
"""Coefficient up to which a distortion moves no pixel of an image of 320 x 240 by more than a fifth."""
SHAPE_TOLERANCE = 0.02
"""Of the ratio of width and height of an image to that of its intrinsics."""
MILLIMETRE = 0.001
LAST_NUMBER = re.compile(r"(\d{1,18})(?!.*\d)")


class Nerfstudio:
    """See the module."""

    looked_for = f"{FILE} in the folder or its folders"
    stride = 1

    def detect(self, root: Path) -> bool:
        """Return whether a ``transforms.json`` is there."""
        return any(is_there(folder / FILE) for folder in scene_folders(root))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield the frames of each ``transforms.json`` in the order of their files' names."""
        for folder in scene_folders(root):
            if not is_there(folder / FILE):
                continue
            scene = scene_name(root, folder)
            try:
                with faults_of(str(folder / FILE)):
                    capture, frames = read_capture(folder / FILE)
                    splits = listed_splits(folder / FILE, capture)
            except BadSample as error:
                yield Quarantined.of(error, scene)
                continue
            read = partial(read_frame, root, folder, capture, frames, splits)
            yield from each_read(folder / FILE, scene, every(frames, stride), read)


def read_capture(path: Path) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Return what a file says of all its frames, and each frame by its number: that in its file's name, or its place.

    Raises :class:`BadSample` where it is no such file.
    """
    capture = read_sample_json(path)
    frames = capture.pop("frames", None) if isinstance(capture, dict) else None
    if not isinstance(frames, list) or not all(
        isinstance(frame, dict) and isinstance(frame.get("file_path"), str) for frame in frames
    ):
        raise BadSample(str(path), "no file of nerfstudio: it has no list frames, each with a file_path")
    frames.sort(key=lambda frame: frame["file_path"])
    found = [LAST_NUMBER.search(Path(frame["file_path"]).stem) for frame in frames]
    numbers = [int(match[1]) if match else -1 for match in found]
    if len(set(numbers)) < len(numbers) or -1 in numbers:
        numbers = list(range(len(frames)))
    return capture, dict(zip(numbers, frames, strict=True))


def listed_splits(path: Path, capture: Mapping[str, Any]) -> dict[str, str]:
    """Return the split of each listed image; raises :class:`BadSample` for an image of two splits, or a list that is none."""
    splits: dict[str, str] = {}
    for key, split in SPLITS.items():
        names = capture.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadSample(str(path), f"{key} is no list of names")
        for name in names:
            if splits.setdefault(name, split) != split:
                raise BadSample(str(path), f"{name} is listed for training and held out: take it out of one list")
    return splits


def read_frame(
    root: Path,
    folder: Path,
    capture: Mapping[str, Any],
    frames: Mapping[int, Mapping[str, Any]],
    splits: Mapping[str, str],
    number: int,
) -> FrameRecord:
    """Return the record of a frame; raises :class:`BadSample` for one without depth, or that is not what it should be."""
    frame = {**capture, **frames[number]}
    source = str(folder / frame["file_path"])
    if not isinstance(frame.get("depth_file_path"), str):
        raise BadSample(source, "no depth_file_path: frames are learnt from with depth (ns-process-data --use-depth)")
    color, depth = (locator_of(root, folder, frame[key]) for key in ("file_path", "depth_file_path"))
    color_size, depth_size = color_and_depth_size(locate(root, color), locate(root, depth))
    intrinsics, note = intrinsics_of(frame, source, color_size)
    label = folder / "label" / f"{Path(color).stem}.png"
    return FrameRecord(
        scene=scene_name(root, folder),
        frame=number,
        split=splits.get(frame["file_path"], ""),
        color=color,
        depth=depth,
        label=find_label(root, label if is_there(label) else None),
        world_from_camera=pose_of(frame, source),
        intrinsics_color=intrinsics,
        intrinsics_depth=resize_intrinsics(intrinsics, color_size, depth_size),
        color_size=color_size,
        depth_size=depth_size,
        depth_scale=1 / positive(frame, "depth_unit_scale_factor", source, MILLIMETRE),
        note=note,
    )


def locator_of(root: Path, folder: Path, name: str) -> str:
    """Return the locator of a file that is named relative to a folder; one that leads out of the root is refused by whoever
    opens it.
    """
    below = folder.relative_to(root).as_posix()
    return os.path.normpath(os.path.join(below, name.replace("\\", "/")))


def pose_of(frame: Mapping[str, Any], source: str) -> Float[np.ndarray, "4 4"]:
    """Return camera-to-world in metres of a camera that looks along +z with y down."""
    try:
        pose = np.array(frame.get("transform_matrix"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSample(source, f"unreadable transform_matrix: {error}") from error
    if pose.shape not in ((4, 4), (3, 4)):
        raise BadSample(source, f"unreadable transform_matrix: {pose.shape}, not 4x4")
    pose = np.concatenate([pose[:3], [[0.0, 0.0, 0.0, 1.0]]]) if len(pose) == 3 else pose
    pose = pose @ np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] /= positive(frame, "applied_scale", source, 1.0)
    return pose


def intrinsics_of(frame: Mapping[str, Any], source: str, size: tuple[int, int]) -> tuple[Float[np.ndarray, "3 3"], str]:
    """Return intrinsics of an image of ``size``, in the project's pixels (the middle of the first is 0, 0), and a note on them.

    Raises :class:`BadSample` for a camera that is no pinhole, or intrinsics of another size and shape.
    """
    if str(frame.get("camera_model", "")).upper() not in PINHOLE:
        raise BadSample(source, f"camera_model {frame['camera_model']} is no pinhole: undistort the images first")
    stated = (round(positive(frame, "h", source, float(size[0]))), round(positive(frame, "w", source, float(size[1]))))
    if "fl_x" in frame:
        across = positive(frame, "fl_x", source)
        down = positive(frame, "fl_y", source, across)
    else:
        across = down = stated[1] / 2 / math.tan(positive(frame, "camera_angle_x", source) / 2)
    middle = (positive(frame, "cx", source, stated[1] / 2), positive(frame, "cy", source, stated[0] / 2))
    intrinsics = np.array([[across, 0, middle[0] - 0.5], [0, down, middle[1] - 0.5], [0, 0, 1.0]])
    if abs(stated[1] * size[0] / (stated[0] * size[1]) - 1) > SHAPE_TOLERANCE:
        raise BadSample(
            source, f"bad intrinsics: w and h are {stated[1]}x{stated[0]}, the image is {size[1]}x{size[0]}"
        )
    bent = max(abs(finite(frame, key, source, 0.0)) for key in LENS)
    note = f"lens distortion of {bent:.2g} is not undone" if bent > LARGEST_DISTORTION else ""
    return resize_intrinsics(intrinsics, stated, size), note
