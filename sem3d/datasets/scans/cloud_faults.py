"""Reasons why points are no room in metres, z up, with labels that tell classes apart."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

from sem3d.datasets.scans.labelled_scene import Labels
from sem3d.datasets.scans.prepare_scene import FARTHEST_CAMERA
from sem3d.errors import BadSample
from sem3d.geometry.voxels import pack, voxel_indices

SMALLEST_SCENE = 0.5
"""Metres along the longest side of a scene."""
NEIGHBOURHOOD, FEWEST_NEIGHBOURS = 0.5, 4.0
"""Metres, and the vertices of a scanned mesh in a cube of that side that holds any, at least; of ScanNet's there are 680."""
FLOOR, LEAST_FLOOR = "floor", 100
"""Name of its class, and how many points of the floor and of other classes tell where it is."""


def check_places(source: str, points: Float[np.ndarray, "point 3"]) -> None:
    """Raise :class:`BadSample` where points lie where no scan reaches."""
    outside = int((np.abs(points) > FARTHEST_CAMERA).any(axis=1).sum())
    if outside:
        raise BadSample(
            source,
            f"points outside: {outside} lie more than {FARTHEST_CAMERA:.0f} m from the origin: give them in metres, near it",
        )


def spacing_fault(points: Float32[np.ndarray, "point 3"], kind: str = "mesh") -> str | None:
    """Return why the points of a mesh, or of another ``kind``, are no room's in metres; None where they may be. No frame is there
    to tell its unit.
    """
    named = "vertices" if kind == "mesh" else "points"
    extent = float(np.ptp(points, axis=0).max(initial=0))
    if extent < SMALLEST_SCENE:
        return f"implausible {kind}: the whole scene lies within {extent:.3g} m: give its {named} in metres"
    if extent > 2 * FARTHEST_CAMERA:
        return None  # points outside
    around = len(points) / len(np.unique(pack(voxel_indices(points, NEIGHBOURHOOD))))
    if around >= FEWEST_NEIGHBOURS:
        return None
    return (
        f"implausible {kind}: its {named} lie far apart, {around:.1f} in a cube of {NEIGHBOURHOOD:g} m that has any: are they in "
        f"centimetres or inches? Give metres, and all {named} of the scan"
    )


def check_classes(source: str, labels: Labels, names: Sequence[str]) -> None:
    """Raise :class:`BadSample` where labels of a whole scene tell no two classes apart."""
    classes, counts = np.unique(labels[labels > 0], return_counts=True)
    if len(classes) == 0:
        raise BadSample(
            source, f"without a label of the {len(names) - 1} classes: none of {len(labels)} points has one"
        )
    if len(classes) == 1:
        raise BadSample(source, f"a single class: all {counts[0]} labelled points are {names[classes[0]]}")


def upright_fault(points: Float32[np.ndarray, "point 3"], labels: Labels, names: Sequence[str]) -> str | None:
    """Return why z does not point up by where the floor is; None where it may or where too little of a floor is labelled, or
    ``names``, the classes, have none.

    Augmentation turns scenes about z, and the floor of scores goes by height.
    """
    if FLOOR not in names:
        return None
    floor = labels == list(names).index(FLOOR)
    rest = (labels > 0) & ~floor
    if min(floor.sum(), rest.sum()) < LEAST_FLOOR:
        return None
    spans = np.ptp(np.quantile(points[floor], (0.05, 0.95), axis=0), axis=0)
    flat = int(spans.argmin())
    if flat != 2 and spans[2] > max(1.0, 3 * spans[flat]):
        told = f"its floor is {spans[2]:.1f} m along z and {spans[flat]:.1f} m along {'xy'[flat]}"
    elif np.median(points[floor, 2]) > np.median(points[rest, 2]):
        told = "its floor lies above the rest"
    else:
        return None
    return f"z is not up: {told}; turn the scans so that z points up"
