"""Label ids of the points of a scene's surface: those of the labelled copy of its mesh, or votes of its labelled frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from sem3d.datasets.quarantine import Quarantined, faults_of
from sem3d.datasets.scans.frames import locate, read_depth, read_label, resize_label
from sem3d.datasets.scans.labels import LARGEST_NYU40, label_fault
from sem3d.datasets.scans.numbered import first_there
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.errors import BadSample
from sem3d.geometry.cameras import resize_intrinsics
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.resample import depth_on_grid
from sem3d.geometry.voxel_votes import VoxelVotes

SAME_PLACE = 1e-3
"""Metres between a vertex of the mesh and its labelled copy."""


def find_labelled_mesh(root: Path, row: Mapping[str, Any]) -> str:
    """Return locator of the labelled copy of the mesh in the folder of a frame's scene, or ""."""
    folders = (folder for folder in locate(root, row["color"]).parents[:2] if folder.is_relative_to(root))
    return next((locator for folder in folders if (locator := labelled_mesh_in(root, folder))), "")


def labelled_mesh_in(root: Path, folder: Path) -> str:
    """Return locator of ``<scene>_vh_clean_2.labels.ply`` in a scene's folder, or ""."""
    return first_there(root, [folder / f"{folder.name}_vh_clean_2.labels.ply"])


def mesh_labels(
    root: Path, locator: str, points: Float[np.ndarray, "point 3"], largest: int = LARGEST_NYU40
) -> UInt8[np.ndarray, " point"]:
    """Return ids of a scene's points, ``largest`` at most, from the labelled copy of its mesh; raises :class:`BadSample` if it is
    another's.
    """
    places, _, labels, _ = read_scene_mesh(locate(root, locator))
    if labels is None:
        raise BadSample(locator, "no vertex property 'label'")
    if len(labels) != len(points):
        numbers = f"{len(labels)} of them, {len(points)} points of the scene's surface"
        raise BadSample(locator, f"labels of another mesh: {numbers}; was the mesh left out?")
    apart = float(np.abs(places - points).max(initial=0))
    if apart > SAME_PLACE:
        raise BadSample(
            locator, f"labels of another mesh: a vertex lies {apart:.3g} m from that of the scene's surface"
        )
    if fault := label_fault(labels, "points", largest):
        raise BadSample(locator, fault)
    return labels.astype(np.uint8)


def voted_labels(
    root: Path, rows: Sequence[Mapping[str, Any]], points: Float[np.ndarray, "point 3"], grid: tuple[float, int]
) -> tuple[UInt8[np.ndarray, " point"], list[Quarantined]]:
    """Return ids of a scene's points by votes of the pixels of its labelled frames, and the frames that could not vote.

    A pixel votes for the voxel that it shows; a point has the id of most votes in its voxel, 0 without any. ``grid``: side of
    the voxels, metres, and the largest id.
    """
    votes = VoxelVotes(points, grid[0], grid[1] + 1)
    unusable = []
    for row in rows:
        try:
            with faults_of(row["label"]):
                votes.add(*labelled_points(root, row, grid[1]))
        except BadSample as error:
            unusable.append(Quarantined.of(error, row["scene"]))
    return votes.winners(), unusable


def labelled_points(
    root: Path, row: Mapping[str, Any], largest: int
) -> tuple[Float[np.ndarray, "point 3"], UInt8[np.ndarray, " point"]]:
    """Return world points of a frame's pixels with depth, on the colour camera's grid at the size of depth, and their labels."""
    size = (row["depth_height"], row["depth_width"])
    lens_color, lens_depth = (np.array(row[f"intrinsics_{kind}"]).reshape(3, 3) for kind in ("color", "depth"))
    lens = resize_intrinsics(lens_color, (row["color_height"], row["color_width"]), size)
    depth = depth_on_grid(read_depth(root, row), lens_depth, lens, size)
    points, pixels = unproject_valid(depth, lens)
    label = resize_label(read_label(root, row, largest), size)[pixels[:, 1], pixels[:, 0]]
    return transform(np.array(row["world_from_camera"]).reshape(4, 4), points), label
