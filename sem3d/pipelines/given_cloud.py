"""Points of a file that a prediction is asked of."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from sem3d.datasets.pictures import colors_fault
from sem3d.datasets.scans.cloud_faults import check_places, spacing_fault
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.datasets.scene_clouds import voxels_of_turns
from sem3d.errors import BadSample, UserError


def given_cloud(
    given: Path,
) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"], Int32[np.ndarray, "face 3"]]:
    """Return points, colours and faces of a PLY; raises :class:`UserError` for points that are no scene in metres."""
    try:
        points, colors, _, faces = read_scene_mesh(given)
        check_places(str(given), points)
    except BadSample as error:
        raise UserError(str(error)) from error
    check_cloud(str(given), points, colors)
    return points, colors, faces


def check_cloud(where: str, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]) -> None:
    """Raise :class:`UserError`, which names ``where`` they are from, for points that are no scene in metres."""
    if not len(points):
        raise UserError(f"{where} has no point")
    if fault := colors_fault(colors) or spacing_fault(points):
        raise UserError(f"{where}: {fault}")


def voxels_of_cloud(
    where: str,
    points: Float32[np.ndarray, "point 3"],
    colors: UInt8[np.ndarray, "point 3"],
    voxel_size: float,
    turns: int = 1,
) -> dict[str, np.ndarray]:
    """Return what :func:`sem3d.datasets.scene_clouds.voxels_of_turns` does of points about their middle.

    Raises :class:`UserError`, which names ``where`` they are from, for points that lie too far apart.
    """
    try:
        return voxels_of_turns(points - points.mean(axis=0, dtype=np.float64), colors, voxel_size, turns)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def places_of(given: Path, made: Path, ending: str) -> Path:
    """Return the place of the page beside ``made``; raises :class:`UserError` for another ``ending`` and for the cloud itself."""
    if made.suffix.lower() != ending:
        raise UserError(f"{made} must end in {ending}")
    if made.resolve() == given.resolve():
        raise UserError(f"{made} is the cloud itself: name another file in --out")
    return made.with_suffix(".html")


def title_of(given: Path) -> str:
    """Return the name of a file as text, also where it is none."""
    return os.fsencode(given.name).decode(errors="replace")
