"""ScanNet on disk in its three official forms: ``.sens`` scans, SensReader exports, and scannet_frames_25k.

Poses are camera-to-world of the depth camera, metres, and the released readers take colour as registered to depth: an
``extrinsic`` of colour or depth that is not the identity is used so too, and noted in the report.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.pictures import picture_header
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.labels import LABEL_TABLE
from sem3d.datasets.scans.layouts import (
    COLOR_ENDINGS,
    FrameRecord,
    color_and_depth_size,
    every,
    read_matrix,
    scene_folders,
    scene_name,
)
from sem3d.datasets.scans.numbered import existing, file_of, first_there, numbered
from sem3d.datasets.scans.sens import SensFile
from sem3d.errors import BadSample, UserError
from sem3d.folders import is_there, matching


class ScanNetSens:
    """``scans/<scene>/<scene>.sens`` with ``<scene>_vh_clean_2.ply``, ``label-filt/<n>.png``, ``instance-filt/<n>.png``."""

    looked_for = "[scans/]<scene>/<scene>.sens"
    stride = 25

    def detect(self, root: Path) -> bool:
        """Return whether a ``.sens`` file is there."""
        return any(True for folder in scene_folders(root) for _ in matching(folder, "*.sens"))

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield every ``stride``-th frame of every scan, by one pass over its frame headers."""
        for folder in scene_folders(root):
            paths = matching(folder, "*.sens")
            for path in paths:
                scene = path.stem
                try:
                    with SensFile(path) as scan:
                        if scan.fault:
                            wanted, held = (len(range(0, end, stride)) for end in (scan.header.frames, len(scan)))
                            lost = max(1, wanted - held)
                            yield Quarantined(path.relative_to(root).as_posix(), scene, scan.fault, lost)
                        yield from scan_frames(root, path, scan, stride, len(paths) == 1)
                except BadSample as error:
                    yield Quarantined.of(error, scene)


def scan_frames(
    root: Path, path: Path, scan: SensFile, stride: int, alone: bool
) -> Iterator[FrameRecord | Quarantined]:
    """Yield records of a scan's frames; a label or instance image that is no image puts only its own frame in quarantine.

    A mesh of the folder's name is that of the scan only if it is ``alone`` there.
    """
    locator, header, numbers = path.relative_to(root).as_posix(), scan.header, range(0, len(scan), stride)
    mesh = find_mesh(root, path.parent, *([path.parent.name] if alone else []), path.stem)
    note = extrinsics_note(header.extrinsics_color, header.extrinsics_depth)
    try:
        labels, instances = (images_beside(path, kind, alone) for kind in ("label-filt", "instance-filt"))
    except BadSample as error:
        yield Quarantined.of(error, path.stem, lost=max(1, len(numbers)))
        return
    for number in numbers:
        try:
            with faults_of(f"{path}: frame {number}"):
                record = FrameRecord(
                    scene=path.stem,
                    frame=number,
                    color=f"{locator}#{number}",
                    depth=f"{locator}#{number}",
                    label=find_label(root, labels.get(number)),
                    instance=existing(root, instances.get(number)),
                    world_from_camera=scan.pose(number),
                    intrinsics_color=header.intrinsics_color,
                    intrinsics_depth=header.intrinsics_depth,
                    color_size=header.color_size,
                    depth_size=header.depth_size,
                    depth_scale=header.depth_scale,
                    mesh=mesh,
                    note=note,
                )
            yield record
        except BadSample as error:
            yield Quarantined.of(error, path.stem)


def images_beside(path: Path, kind: str, alone: bool) -> dict[int, Path]:
    """Return the label or instance images in the folder ``kind`` beside a scan, by the number of their frame.

    Raises :class:`BadSample` where they cannot be looked at, or be those of any other scan there.
    """
    found = numbered(path.parent / kind, (".png",))
    if found and not alone:
        raise BadSample(
            str(path.parent / kind), "images beside several .sens files: give each scan a folder of its own"
        )
    return found


class ScanNetExport:
    """``<scene>/{color/<n>.jpg|png, depth/<n>.png, pose/<n>.txt, intrinsic/{intrinsic,extrinsic}_{color,depth}.txt}``."""

    looked_for = "[scans/]<scene>/intrinsic/intrinsic_depth.txt"
    stride = 25
    labels, instances = "label-filt", "instance-filt"

    def detect(self, root: Path) -> bool:
        """Return whether the intrinsics of an exported scan are there."""
        return any(is_there(self.intrinsics(folder, "depth")) for folder in scene_folders(root))

    def intrinsics(self, folder: Path, kind: str) -> Path:
        """Return file of the intrinsics of ``kind`` "color" or "depth"."""
        return folder / "intrinsic" / f"intrinsic_{kind}.txt"

    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Return the folders of numbered files with the endings that their files may have."""
        images = dict.fromkeys(("depth", self.labels, self.instances), (".png",))
        return {"color": COLOR_ENDINGS, "pose": (".txt",), **images}

    def scan(self, root: Path, stride: int) -> Iterator[FrameRecord | Quarantined]:
        """Yield frames of all scenes; a frame needs colour, depth and pose."""
        for folder in scene_folders(root):
            if not any(is_there(self.intrinsics(folder, kind)) for kind in ("depth", "color")):
                continue
            scene = scene_name(root, folder)
            try:
                files = {kind: numbered(folder / kind, endings) for kind, endings in self.kinds().items()}
            except BadSample as error:
                yield Quarantined.of(error, scene)
                continue
            numbers = list(every(files["color"].keys() | files["depth"].keys(), stride))
            if not numbers:
                reason = "holds no frame: there is no numbered file in color and depth"
                yield Quarantined(folder.relative_to(root).as_posix(), scene, reason)
                continue
            try:
                cameras = [read_matrix(self.intrinsics(folder, kind), 3) for kind in ("color", "depth")]
            except BadSample as error:
                yield Quarantined.of(error, scene, lost=len(numbers))
                continue
            for number in numbers:
                try:
                    with faults_of(f"{folder}: frame {number}"):
                        record = self.read_frame(root, folder, number, files, *cameras)
                    yield record
                except BadSample as error:
                    yield Quarantined.of(error, scene)

    def read_frame(
        self,
        root: Path,
        folder: Path,
        number: int,
        files: dict[str, dict[int, Path]],
        intrinsics_color: Float[np.ndarray, "3 3"],
        intrinsics_depth: Float[np.ndarray, "3 3"],
    ) -> FrameRecord:
        """Return one frame's record; raises :class:`BadSample` for missing or unreadable files."""
        color, depth, pose = (file_of(files[kind], folder / kind, number) for kind in ("color", "depth", "pose"))
        color_size, depth_size = color_and_depth_size(color, depth)
        return FrameRecord(
            scene=scene_name(root, folder),
            frame=number,
            color=color.relative_to(root).as_posix(),
            depth=depth.relative_to(root).as_posix(),
            label=find_label(root, files[self.labels].get(number)),
            instance=existing(root, files[self.instances].get(number)),
            world_from_camera=read_matrix(pose, 4),
            intrinsics_color=intrinsics_color,
            intrinsics_depth=intrinsics_depth,
            color_size=color_size,
            depth_size=depth_size,
            mesh=find_mesh(root, folder, folder.name),
            note=exported_note(folder),
        )


class ScanNetFrames25k(ScanNetExport):
    """``<scene>/{color/000000.jpg, depth, instance, label, pose}`` and ``intrinsics_{color,depth}.txt``."""

    looked_for = "<scene>/intrinsics_depth.txt"
    stride = 1
    labels, instances = "label", "instance"

    def intrinsics(self, folder: Path, kind: str) -> Path:
        """Return file of the intrinsics of ``kind`` "color" or "depth"."""
        return folder / f"intrinsics_{kind}.txt"


def find_label(root: Path, path: Path | None) -> str:
    """Return locator of a label image, with that of the table if it is 16 bit and so holds ScanNet's category ids.

    Raises :class:`UserError` if the table is then missing from the root, :class:`BadSample` if the file is no image.
    """
    locator = existing(root, path)
    if path and locator and picture_header(path)[2] == "I;16":
        if not (root / LABEL_TABLE).is_file():
            raise UserError(f"{path} holds category ids of 16 bit: put ScanNet's {LABEL_TABLE} into {root}")
        return f"{locator}#{LABEL_TABLE}"
    return locator


def find_mesh(root: Path, folder: Path, *scenes: str) -> str:
    """Return locator of the first ``<scene>_vh_clean_2.ply`` whose name is there, whatever it is, or ""."""
    return first_there(root, (folder / f"{scene}_vh_clean_2.ply" for scene in scenes))


def extrinsics_note(*extrinsics: Float[np.ndarray, "4 4"]) -> str:
    """Return what to note on a scan with these extrinsics: nothing if all are the identity."""
    if all(np.allclose(matrix, np.eye(4), atol=1e-3) for matrix in extrinsics):
        return ""
    return "extrinsics of colour or depth are not the identity; colour is read as registered to depth"


def exported_note(folder: Path) -> str:
    """Return :func:`extrinsics_note` of the files that an export may have."""
    files = [folder / "intrinsic" / f"extrinsic_{kind}.txt" for kind in ("color", "depth")]
    return extrinsics_note(*(read_matrix(path, 4) for path in files if path.is_file()))
