"""7-Scenes and its like: ``frame-000000.color.jpg|png``, ``.depth.png``, ``.pose.txt`` and ``camera-intrinsics.txt``.

The root is one such folder or holds some, also as 7-Scenes' own ``<scene>/seq-01``. Depth is 16 bit, millimetres, invalid 0
or 65535; poses are camera-to-world in metres; a frame may have labels, ``.label.png``. A folder is one scene of the index:
sequences of a room are tracked apart.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.frames import ASPECT_TOLERANCE
from sem3d.datasets.scans.layouts import (
    COLOR_ENDINGS,
    FrameRecord,
    color_and_depth_size,
    every,
    read_matrix,
    scene_folders,
    scene_name,
)
from sem3d.datasets.scans.numbered import upward
from sem3d.datasets.scans.scannet import find_label
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries, is_there, matching
from sem3d.geometry.cameras import off_centre, resize_intrinsics
from sem3d.texts import read_text

FRAME = re.compile(r"frame-(\d+)\.((?:color|depth|label|pose)\.(?:jpe?g|png|txt))", re.IGNORECASE)
SEQUENCE, LISTED = re.compile(r"seq-(\d+)", re.IGNORECASE), re.compile(r"(?<!\d)\d{1,9}(?!\d)")
OFF_CENTRE = 0.1
"""Share of width or height that the principal point of an image's own intrinsics lies off its middle at most."""
NOMINAL_INTRINSICS = np.array([[585.0, 0.0, 320.0], [0.0, 585.0, 240.0], [0.0, 0.0, 1.0]])
"""What the 7-Scenes page gives for its 640x480 frames, which come without a file of intrinsics."""


class SevenScenes:
    """See the module."""

    looked_for = "frame-*.depth.png in the folder, its folders, or their seq-* folders"
    stride = 1

    def detect(self, root: Path) -> bool:
        """Return whether a folder with such frames is there."""
        return any(True for folder in scene_folders(root) for _ in matching(folder, "frame-*.depth.png"))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield frames of all folders; 7-Scenes' TrainSplit.txt and TestSplit.txt give the splits train and val."""
        for folder in scene_folders(root):
            frames = frames_of(folder)
            if not frames:
                continue
            scene, split = scene_name(root, folder), official_split(folder)
            for number in every(frames, stride):
                try:
                    with faults_of(str(folder / f"frame-{number:06d}")):
                        record = read_frame(root, folder, scene, split, number, files_of_frame(frames[number]))
                    yield record
                except BadSample as error:
                    yield Quarantined.of(error, scene)


def frames_of(folder: Path) -> dict[int, list[Path]]:
    """Return the files of each frame of a folder by its number, however it is written."""
    frames: dict[int, list[Path]] = {}
    for path in entries(folder):
        if match := FRAME.fullmatch(path.name):
            frames.setdefault(int(match[1]), []).append(path)
    return frames


def files_of_frame(paths: list[Path]) -> dict[str, Path]:
    """Return the files of one frame by what follows its number, such as ``color.jpg``; of several colour images the first ending
    counts.

    Raises :class:`BadSample` for two of one kind: they may be two frames, or the old and the new one.
    """
    files: dict[str, Path] = {}
    stems: dict[str, Path] = {}
    for path in paths:
        if match := FRAME.fullmatch(path.name):
            kind = match[2].lower()
            stem = stems.setdefault(kind.partition(".")[0], path)
            if files.setdefault(kind, path) != path or numeral(stem) != numeral(path):
                raise BadSample(str(path), f"two files of one number: {stem.name} and {path.name}; remove one")
    return files


def numeral(path: Path) -> str:
    """Return the number of a frame as its file's name has it."""
    return path.name.partition("-")[2].partition(".")[0]


def read_frame(root: Path, folder: Path, scene: str, split: str, number: int, files: dict[str, Path]) -> FrameRecord:
    """Return one frame's record; ``files`` are those of :func:`files_of_frame`.

    Raises :class:`BadSample` for missing or unreadable files.
    """
    found = (files.get(f"color{ending}") for ending in COLOR_ENDINGS)
    color = next((path for path in found if path), None)
    stem = f"frame-{numeral(next(iter(files.values())))}"
    if color is None:
        raise BadSample(str(folder / f"{stem}.color.jpg"), "missing file")
    depth, pose = (files.get(name, folder / f"{stem}.{name}") for name in ("depth.png", "pose.txt"))
    color_size, depth_size = color_and_depth_size(color, depth)
    intrinsics_color, intrinsics_depth, note = intrinsics_of(
        find_intrinsics(root, folder), color_size, depth_size, depth
    )
    return FrameRecord(
        scene=scene,
        frame=number,
        split=split,
        color=color.relative_to(root).as_posix(),
        depth=depth.relative_to(root).as_posix(),
        label=find_label(root, files.get("label.png")),
        world_from_camera=read_matrix(pose, 4),
        intrinsics_color=intrinsics_color,
        intrinsics_depth=intrinsics_depth,
        color_size=color_size,
        depth_size=depth_size,
        note=note,
    )


def intrinsics_of(
    intrinsics: Float[np.ndarray, "3 3"], color_size: tuple[int, int], depth_size: tuple[int, int], depth: Path
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"], str]:
    """Return intrinsics of colour and of depth from the one matrix of a folder, and a note where their sizes differ.

    The matrix is that of the image in whose middle its principal point lies; the other's is scaled from it, pixel for pixel.
    Raises :class:`BadSample` where it is the matrix of neither, or where the images do not have one shape.
    """
    if color_size == depth_size:
        return intrinsics, intrinsics, ""
    sizes = f"colour is {color_size[1]}x{color_size[0]}, depth {depth_size[1]}x{depth_size[0]}"
    off_color, off_depth = (off_centre(intrinsics, size) for size in (color_size, depth_size))
    shapes = color_size[1] / color_size[0], depth_size[1] / depth_size[0]
    if not min(off_color, off_depth) < OFF_CENTRE or abs(shapes[0] / shapes[1] - 1) > ASPECT_TOLERANCE:
        raise BadSample(
            str(depth), f"bad intrinsics: {sizes}, and the one camera-intrinsics.txt fits neither: give both one size"
        )
    if off_color < off_depth:
        scaled = resize_intrinsics(intrinsics, color_size, depth_size)
        return intrinsics, scaled, f"{sizes}: camera-intrinsics.txt is taken as that of colour and scaled for depth"
    scaled = resize_intrinsics(intrinsics, depth_size, color_size)
    return scaled, intrinsics, f"{sizes}: camera-intrinsics.txt is taken as that of depth and scaled for colour"


def find_intrinsics(root: Path, folder: Path) -> Float[np.ndarray, "3 3"]:
    """Return ``camera-intrinsics.txt`` of the folder or of one above it up to the root, else the nominal ones of a
    ``seq-*`` folder.
    """
    if path := upward(root, folder, "camera-intrinsics.txt"):
        return read_matrix(path, 3)
    if folder.name.lower().startswith("seq-"):
        return NOMINAL_INTRINSICS
    raise BadSample(str(folder / "camera-intrinsics.txt"), "missing file")


def official_split(folder: Path) -> str:
    """Return "train" or "val" if the folder above lists this sequence (``sequence3`` means ``seq-03``), else "".

    Raises :class:`UserError` for a sequence in both lists.
    """
    sequence = SEQUENCE.fullmatch(folder.name)
    lists = {"train": folder.parent / "TrainSplit.txt", "val": folder.parent / "TestSplit.txt"}
    if sequence is None:
        return ""
    number = int(sequence[1])
    splits = [split for split, path in lists.items() if is_there(path) and number in listed_numbers(path)]
    if len(splits) > 1:
        raise UserError(f"{folder.name} is in both {lists['train']} and {lists['val'].name}: take it out of one")
    return splits[0] if splits else ""


def listed_numbers(path: Path) -> set[int]:
    """Return the numbers in a list of sequences."""
    return {int(digits) for digits in LISTED.findall(read_text(path))}
