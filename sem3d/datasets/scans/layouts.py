"""The register of disk layouts, and what a layout gives: frames as records, found from headers alone."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from sem3d.datasets.pictures import MOST_DEPTH_PIXELS, picture_header
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries, root_entries
from sem3d.registers import resolve
from sem3d.texts import read_sample_text

LAYOUTS = {
    "seven_scenes": "sem3d.datasets.scans.seven_scenes:SevenScenes",
    "scannet_sens": "sem3d.datasets.scans.scannet:ScanNetSens",
    "scannet_export": "sem3d.datasets.scans.scannet:ScanNetExport",
    "scannet_frames_25k": "sem3d.datasets.scans.scannet:ScanNetFrames25k",
    "tum_rgbd": "sem3d.datasets.scans.tum_rgbd:TumRgbd",
    "nerfstudio": "sem3d.datasets.scans.nerfstudio:Nerfstudio",
    "replica": "sem3d.datasets.scans.replica:Replica",
    "arkit_scenes": "sem3d.datasets.scans.arkit_scenes:ARKitScenes",
}
SCENE_DEPTH = 2  # root/<scene> and root/scans/<scene>, root/<room>/seq-01
LARGEST_FRAME = 2**63 - 1
LONGEST_SCENE = 240
"""Bytes; the file of its surface is named for it."""
COLOR_ENDINGS = (".jpg", ".jpeg", ".png")
"""Lower case; the first one that is there is taken."""
LARGEST_MATRIX = 1 << 16  # bytes


@dataclass(frozen=True, kw_only=True)
class FrameRecord:
    """One RGB-D frame as a layout found it, not yet validated; fields are those of ``FRAME_SCHEMA``."""

    scene: str
    frame: int
    split: str = ""
    """Empty where the layout has no opinion."""
    color: str
    depth: str
    label: str = ""
    instance: str = ""
    world_from_camera: Float[np.ndarray, "4 4"]
    intrinsics_color: Float[np.ndarray, "3 3"]
    intrinsics_depth: Float[np.ndarray, "3 3"]
    color_size: tuple[int, int]
    """(height, width)."""
    depth_size: tuple[int, int]
    """(height, width)."""
    depth_scale: float = 1000.0
    mesh: str = ""
    """Locator of the scene's reconstructed mesh, if the data set has one."""
    note: str = ""
    """A remark on a frame that is used all the same."""

    def __post_init__(self) -> None:
        if self.frame > LARGEST_FRAME:
            raise BadSample(self.color, f"frame number {self.frame} has more than 64 bits: number the frames from 0")
        if len(self.scene.encode("utf-8", "surrogateescape")) > LONGEST_SCENE:
            raise BadSample(self.color, f"name of its scene longer than {LONGEST_SCENE} bytes: rename its folder")
        for name in (self.scene, self.color, self.depth, self.label, self.instance, self.mesh):
            if not is_utf8(name):
                raise BadSample(name, "its name is no UTF-8: rename it")

    def row(self) -> dict[str, Any]:
        """Return the frame as a row of ``frames.parquet``."""
        return {
            "scene": self.scene,
            "frame": self.frame,
            "split": self.split,
            "color": self.color,
            "depth": self.depth,
            "label": self.label,
            "instance": self.instance,
            "world_from_camera": self.world_from_camera.ravel().tolist(),
            "intrinsics_color": self.intrinsics_color.ravel().tolist(),
            "intrinsics_depth": self.intrinsics_depth.ravel().tolist(),
            "color_height": self.color_size[0],
            "color_width": self.color_size[1],
            "depth_height": self.depth_size[0],
            "depth_width": self.depth_size[1],
            "depth_scale": self.depth_scale,
        }


@runtime_checkable
class Layout(Protocol):
    """Layout of one data set on disk."""

    looked_for: str
    """The files that tell the layout, for messages."""
    stride: int
    """Least distance of frame numbers that are taken unless the user says otherwise."""

    def detect(self, root: Path) -> bool:
        """Return whether ``root`` has this layout."""
        ...

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Return frames in order of scene and number, from headers and small text files only."""
        ...


def is_utf8(name: str) -> bool:
    """Return whether the bytes of a name on disk are text, as tables need it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def load_layout(name: str) -> Layout:
    """Return the layout registered as ``name``, or that of the user's own ``module:Class``; raises :class:`UserError` for another
    name.
    """
    if name in LAYOUTS:
        return resolve(LAYOUTS[name])()
    if ":" not in name:
        raise UserError(f"unknown layout '{name}': there are {', '.join(LAYOUTS)}, and your own as module:Class")
    try:
        layout = resolve(name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"no layout {name}: {error}; is its folder in PYTHONPATH?") from error
    if not isinstance(layout, Layout):
        raise UserError(
            f"{name} is no layout: it needs looked_for, stride, detect and scan (jobs/data.md, Adding a layout)"
        )
    return layout


def detect_layout(root: Path) -> str:
    """Return the name of the one layout that ``root`` has; raises :class:`UserError` if there is none or more than one."""
    found = detected_layouts(root)
    if len(found) == 1:
        return found[0]
    layouts = {name: load_layout(name) for name in LAYOUTS}
    looked_for = "; ".join(f"{name}: {layout.looked_for}" for name, layout in layouts.items())
    if found:
        raise UserError(
            f"{root} matches {' and '.join(found)}: choose one with --layout (data.prepare.layout). Looked for {looked_for}"
        )
    raise UserError(f"{root} has no known layout: jobs/data.md describes them. Looked for {looked_for}")


def detected_layouts(root: Path) -> list[str]:
    """Return the names of the layouts that ``root`` has."""
    return [name for name in LAYOUTS if load_layout(name).detect(root)]


def every(numbers: Iterable[int], stride: int) -> Iterator[int]:
    """Yield the numbers, ascending, that lie at least ``stride`` after the one taken before; exports thinned already stay
    whole.
    """
    last: int | None = None
    for number in sorted(numbers):
        if last is None or number - last >= stride:
            last = number
            yield number


def each_read(
    place: Path, scene: str, numbers: Iterable[int], read: Callable[[int], FrameRecord]
) -> Iterator[FrameRecord | Quarantined]:
    """Yield the record that ``read`` makes of each frame of the scene in ``place``, or what is wrong with it."""
    for number in numbers:
        try:
            # no numpy warnings of numbers that are none: what comes of them is refused with the record
            with faults_of(f"{place}: frame {number}"), np.errstate(all="ignore"):
                record = read(number)
            yield record
        except BadSample as error:
            yield Quarantined.of(error, scene)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Folders in which scenes may lie, sorted, each place once."""

    folders: list[Path]
    unreadable: list[Quarantined]
    aliases: list[Quarantined]
    """Links to a place that is among ``folders`` under another name."""


def survey(root: Path, depth: int = SCENE_DEPTH) -> Survey:
    """List ``root`` and the folders inside it down to ``depth`` levels, hidden ones left out.

    Links are followed after all that is no link, so that a folder is known by its own name. Raises :class:`UserError` where
    ``root`` itself may not be looked into.
    """
    root_entries(root)
    met: dict[Path, Path] = {}
    unreadable: list[Quarantined] = []
    aliases: list[Quarantined] = []
    own, links = deque([(root, depth)]), deque[tuple[Path, int]]()
    while own or links:
        folder, left = (own or links).popleft()
        if (first := met.setdefault(folder.resolve(), folder)) is not folder:
            where = folder.relative_to(root).as_posix()
            aliases.append(Quarantined(where, folder.name, f"another name of a folder: {first}; taken once"))
            continue
        try:
            inside = [path for path in entries(folder) if os.path.isdir(path)]
        except BadSample as error:
            unreadable.append(Quarantined(folder.relative_to(root).as_posix(), folder.name, error.reason))
            del met[folder.resolve()]
            continue
        for child in inside if left else ():
            (links if child.is_symlink() else own).append((child, left - 1))
    return Survey(folders=sorted(met.values()), unreadable=unreadable, aliases=aliases)


def scene_folders(root: Path) -> list[Path]:
    """Return the folders of :func:`survey`."""
    return survey(root).folders


def scene_name(root: Path, folder: Path) -> str:
    """Return the name of a scene that is also fit as a file name: its path below ``root``, or the root's own name."""
    parts = folder.relative_to(root).parts
    if parts and parts[0] in ("scans", "scans_test"):
        parts = parts[1:]
    return "-".join(parts) or root.resolve().name


def read_matrix(path: Path, side: int) -> Float[np.ndarray, "side side"]:
    """Return upper left ``side`` x ``side`` of a square matrix in a text file; infinite and NaN entries are kept.

    Raises :class:`BadSample` if the file is missing or holds no matrix of that side or of 4.
    """
    try:
        values = [float(word) for word in read_sample_text(path, LARGEST_MATRIX).split()]
    except ValueError as error:
        raise BadSample(str(path), f"unreadable matrix: {error}") from error
    if len(values) not in (side * side, 16):
        raise BadSample(str(path), f"unreadable matrix: {len(values)} numbers, not {side}x{side}")
    return np.array(values).reshape((4, 4) if len(values) == 16 else (side, side))[:side, :side]


def color_and_depth_size(color: Path, depth: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (height, width) of both images from their headers; raises :class:`BadSample` where one is no such image."""
    color_height, color_width, _ = picture_header(color, upright=True)
    depth_height, depth_width, mode = picture_header(depth)
    if mode != "I;16":
        raise BadSample(str(depth), f"wrong kind of image: depth is {mode}, not 16 bit")
    if depth_height * depth_width > MOST_DEPTH_PIXELS:
        size = f"{depth_width}x{depth_height}"
        raise BadSample(str(depth), f"huge depth image: {size}, at most {MOST_DEPTH_PIXELS} pixels can be used")
    return (color_height, color_width), (depth_height, depth_width)
