"""One scene of an index: validate its frames, pair them, find its surface.

Each frame's depth is decoded once; it yields the blank-depth check, the cloud for overlap and, where the data set has no mesh,
the surface.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from sem3d.datasets.pictures import colors_fault
from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.frames import locate, read_color, read_depth, read_instance, read_label
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.datasets.scans.mesh_plausibility import mesh_fault
from sem3d.datasets.scans.mistakes import Frame
from sem3d.datasets.scans.plausibility import frames_fault, median_fault, sampled_frames
from sem3d.datasets.scans.resized import resized_fault
from sem3d.datasets.scans.surface import SurfaceFusion, colors_at_depth_pixels, read_scene_mesh
from sem3d.datasets.scans.units import UnitChain
from sem3d.errors import BadSample
from sem3d.geometry.cameras import intrinsics_fault, orthonormalise, pose_fault, principal_point_fault
from sem3d.geometry.overlap import OverlapConfig, overlapping_pairs
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.voxels import mean_per_voxel

STRIP = 1 << 20
"""Pixels of depth whose points are held at once on their way into a surface."""
FARTHEST_CAMERA = 1000.0  # metres from the origin; beyond it a pose is rubbish, and fine voxels would overflow


@dataclass(frozen=True)
class PreparedScene:
    """Result of one scene's task; pairs count within ``records``."""

    records: list[FrameRecord]
    quarantined: list[Quarantined]
    anchor: Int[np.ndarray, "pair"]
    positive: Int[np.ndarray, "pair"]
    overlap: Float[np.ndarray, "pair"]
    points: Float32[np.ndarray, "point 3"]
    colors: UInt8[np.ndarray, "point 3"]


def prepare_scene(root: Path, records: Sequence[FrameRecord], config: PrepareConfig, check: bool) -> PreparedScene:
    """Validate one scene's frames, pair them inside their split and find the scene's surface.

    A scene that cannot be prepared for whatever reason is one that has only its quarantine.
    """
    try:
        with faults_of(records[0].color):
            return validated(root, records, config, check)
    except BadSample as error:
        return unprepared(records, error.reason, error.source)


def unprepared(records: Sequence[FrameRecord], reason: str, source: str = "") -> PreparedScene:
    """Return a scene whose frames all are in quarantine for one reason, in the name of ``source`` or of the first of them."""
    return nothing_of([Quarantined(source or records[0].color, records[0].scene, reason, len(records))])


def nothing_of(quarantined: list[Quarantined]) -> PreparedScene:
    """Return a scene that has only its quarantine."""
    return PreparedScene([], quarantined, *no_pairs(), *SurfaceFusion(1.0).surface())


def validated(root: Path, records: Sequence[FrameRecord], config: PrepareConfig, check: bool) -> PreparedScene:
    """Return the scene of frames that can be used, their pairs and surface.

    Poses become exactly rigid on the way: real rotations are orthonormal to 1e-4 only.
    """
    quarantined: list[Quarantined] = []
    kept: list[FrameRecord] = []
    sample = sampled_frames(root, records)
    if fault := frames_fault(root, records, sample) or resized_fault(sample):
        return unprepared(records, fault, records[0].depth)
    mesh = read_mesh(root, records[0], sample, quarantined)
    fusion = None if mesh else SurfaceFusion(config.surface_voxel)
    if check:
        check_labels_of_mesh(root, records[0], quarantined)

    # Each cloud is thinned as it is read: a scene of 300 frames then takes some MB instead of 2 GB.
    clouds: list[Float[np.ndarray, "point 3"]] = []
    units = UnitChain()
    for record in records:
        try:
            with faults_of(record.color):
                depth, color = read_valid_frame(root, record, config, check or fusion is not None)
                if check:
                    read_annotations(root, record)
                record = dataclasses.replace(record, world_from_camera=orthonormalise(record.world_from_camera))
                if fusion and color is not None:
                    add_surface(fusion, record, depth, color, config.surface_stride)
        except BadSample as error:
            quarantined.append(Quarantined.of(error, record.scene))
            continue
        kept.append(record)
        units.add(record, depth)
        clouds.append(thinned_cloud(record, depth, config.overlap))
    if odd := units.odd():
        return without(odd, root, records, config, check)
    thinned_already = dataclasses.replace(config.overlap, pixel_stride=1, voxel_size=0.0)
    anchor, positive, overlap = overlapping_pairs(clouds, thinned_already)
    split = np.array([record.split for record in kept])
    usable = split[anchor] == split[positive] if len(anchor) else np.zeros(0, bool)
    if config.pair_window:
        usable &= positive - anchor <= config.pair_window
    points, colors = mesh or (fusion or SurfaceFusion(config.surface_voxel)).surface()
    return PreparedScene(kept, quarantined, anchor[usable], positive[usable], overlap[usable], points, colors)


def without(
    odd: list[Quarantined], root: Path, records: Sequence[FrameRecord], config: PrepareConfig, check: bool
) -> PreparedScene:
    """Return the scene without the frames whose depth is ``odd``: they are in its surface, so all is done again."""
    left = [record for record in records if record.depth not in {item.source for item in odd}]
    if not left:
        return nothing_of(odd)
    again = validated(root, left, config, check)
    return dataclasses.replace(again, quarantined=odd + again.quarantined)


def read_valid_frame(
    root: Path, record: FrameRecord, config: PrepareConfig, with_color: bool
) -> tuple[Float32[np.ndarray, "height width"], UInt8[np.ndarray, "color_height color_width 3"] | None]:
    """Return depth, and colour if asked for, of a frame; raises :class:`BadSample` with the first thing wrong with it."""
    if fault := pose_fault(record.world_from_camera):
        raise BadSample(record.color, f"bad pose: {fault}")
    if np.abs(record.world_from_camera[:3, 3]).max() > FARTHEST_CAMERA:
        raise BadSample(record.color, f"bad pose: camera is more than {FARTHEST_CAMERA:.0f} m from the origin")
    for kind, intrinsics, size in (
        ("colour", record.intrinsics_color, record.color_size),
        ("depth", record.intrinsics_depth, record.depth_size),
    ):
        if fault := intrinsics_fault(intrinsics, size) or principal_point_fault(intrinsics, size):
            raise BadSample(record.color, f"bad {kind} intrinsics: {fault}")
    row = record.row()
    depth = read_depth(root, row)
    valid = np.count_nonzero(depth) / depth.size
    if valid < config.min_valid_depth:
        raise BadSample(record.depth, f"blank depth: {valid:.2%} of the pixels are valid")
    if fault := median_fault(depth):
        raise BadSample(record.depth, fault)
    return depth, read_color(root, row) if with_color else None


def no_pairs() -> tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "pair"], Float[np.ndarray, "pair"]]:
    """Return the pairs of a scene that has none."""
    return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)


def read_annotations(root: Path, record: FrameRecord) -> None:
    """Decode label and instance images, if the frame has them; raises :class:`BadSample` if they cannot be used."""
    if record.label:
        read_label(root, record.row())
    if record.instance:
        read_instance(root, record.row())


def read_mesh(
    root: Path, record: FrameRecord, sample: Sequence[Sequence[Frame]], quarantined: list[Quarantined]
) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"]] | None:
    """Return vertices and colours of the scene's mesh; None if it has none or if it went into ``quarantined``.

    A mesh that is not where the frames of ``sample`` measured a surface cannot be used either.
    """
    if not record.mesh:
        return None
    try:
        with faults_of(record.mesh):
            points, colors, _, faces = read_scene_mesh(locate(root, record.mesh))
        if fault := colors_fault(colors) or mesh_fault(sample, points, faces):
            raise BadSample(record.mesh, fault)
    except BadSample as error:
        quarantined.append(Quarantined.of(error, record.scene))
        return None
    return points, colors


def check_labels_of_mesh(root: Path, record: FrameRecord, quarantined: list[Quarantined]) -> None:
    """Put the labelled copy of the scene's mesh (``.labels.ply``) into ``quarantined`` if there is one that cannot be used."""
    if not record.mesh:
        return
    labelled = Path(record.mesh).with_suffix(".labels.ply")
    if not os.path.lexists(root / labelled):
        return
    try:
        if read_scene_mesh(locate(root, str(labelled)))[2] is None:
            raise BadSample(str(labelled), "no vertex property 'label'")
    except BadSample as error:
        quarantined.append(Quarantined.of(error, record.scene))


def thinned(depth: Float32[np.ndarray, "height width"], stride: int) -> Float32[np.ndarray, "height width"]:
    """Return ``depth`` at every ``stride``-th row and column and 0 elsewhere, so that intrinsics stay as they are."""
    if stride == 1:
        return depth
    sparse = np.zeros_like(depth)
    sparse[::stride, ::stride] = depth[::stride, ::stride]
    return sparse


def thinned_cloud(
    record: FrameRecord, depth: Float32[np.ndarray, "height width"], config: OverlapConfig
) -> Float[np.ndarray, "point 3"]:
    """Return the cloud of a frame that its overlaps are found with."""
    cloud = world_points(record, depth)[:: config.pixel_stride]
    return mean_per_voxel(cloud, config.cell) if config.cell else cloud.astype(np.float32)


def world_points(record: FrameRecord, depth: Float32[np.ndarray, "height width"]) -> Float[np.ndarray, "point 3"]:
    """Return world points of all pixels with depth."""
    return transform(record.world_from_camera, unproject_valid(depth, record.intrinsics_depth)[0])


def add_surface(
    fusion: SurfaceFusion,
    record: FrameRecord,
    depth: Float32[np.ndarray, "height width"],
    color: UInt8[np.ndarray, "color_height color_width 3"],
    stride: int,
) -> None:
    """Add world points of a frame's thinned depth pixels and their colours; raises :class:`BadSample` where they are too far, and
    adds none then.
    """
    found = []
    for strip in strips(thinned(depth, stride)):
        colors, pixels = colors_at_depth_pixels(color, strip, record.intrinsics_color, record.intrinsics_depth)
        seen = np.zeros_like(strip)
        seen[pixels[:, 0], pixels[:, 1]] = strip[pixels[:, 0], pixels[:, 1]]
        try:
            found.append(fusion.thinned(world_points(record, seen), colors))
        except ValueError as error:
            raise BadSample(record.depth, f"implausible depth: {error}") from error
    for points in found:
        fusion.add(points)


def strips(depth: Float32[np.ndarray, "height width"]) -> Iterator[Float32[np.ndarray, "height width"]]:
    """Yield ``depth`` whole, or, where it has more than :data:`STRIP` pixels, some rows of it at a time and 0 elsewhere."""
    rows = max(1, STRIP // depth.shape[1])
    if len(depth) <= rows:
        yield depth
        return
    for top in range(0, len(depth), rows):
        strip = np.zeros_like(depth)
        strip[top : top + rows] = depth[top : top + rows]
        yield strip
