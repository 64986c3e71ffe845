"""Polygons in space as triangles: a fan from the first corner where that is right, else ears cut off one by one."""

import itertools
from dataclasses import dataclass

import mapbox_earcut
import numpy as np
from jaxtyping import Bool, Float, Int

_SLACK = 1e-6
"""Share of a polygon's area by which a triangle may turn the other way, or by which triangles may miss it, from rounding."""
_FLATTEST = 1e-9
"""Area, as a share of its square extent, below which a polygon is a line."""
MOST_EFFORT = 10_000_000
"""Squares of the numbers of corners, summed over the polygons that no fan covers: some seconds of cutting ears at worst."""


@dataclass(frozen=True, eq=False)
class Triangles:
    """Polygons of equally many corners cut into triangles."""

    owner: Int[np.ndarray, " triangle"]
    """Polygon of each triangle, ascending."""
    places: Int[np.ndarray, "triangle 3"]
    """Places of its corners in the polygon."""
    crossing: Bool[np.ndarray, " polygon"]
    """Polygons that cross themselves, of which no choice of triangles is right."""
    effort: int
    """What cutting ears of these and of those before has taken, see :data:`MOST_EFFORT`."""


def triangulate(
    points: Float[np.ndarray, "vertex 3"], polygons: Int[np.ndarray, "polygon corner"], effort: int = 0
) -> Triangles:
    """Cut polygons of equally many corners, 3 at least, into triangles that keep their sense; a convex one becomes a fan.

    Raises ValueError where cutting ears, after ``effort`` on polygons before, would take too long.
    """
    count, corners = polygons.shape
    fan = fan_of(corners)
    places = np.broadcast_to(fan, (count, corners - 2, 3)).copy()
    crossing = np.zeros(count, bool)
    wrong = np.flatnonzero(turned(points, polygons, fan)) if corners > 3 else np.zeros(0, np.int64)
    if corners == 4:
        other = (fan + 1) % 4
        crossing[wrong] = turned(points, polygons[wrong], other)
        places[wrong[~crossing[wrong]]] = other
        wrong = wrong[:0]
    effort += len(wrong) * corners**2
    if effort > MOST_EFFORT:
        raise ValueError(f"{len(wrong)} concave polygons of {corners} corners")
    kept = np.full(count, corners - 2)
    for polygon in wrong.tolist():
        ears, crossing[polygon] = cut_ears(points[polygons[polygon]])
        kept[polygon] = len(ears)
        places[polygon, : len(ears)] = ears
    chosen = np.arange(corners - 2) < kept[:, None]
    return Triangles(np.nonzero(chosen)[0], places[chosen], crossing, effort)


def fan_of(corners: int) -> Int[np.ndarray, "triangle 3"]:
    """Return the triangles of a fan; with four corners, the second one begins at the third corner."""
    if corners == 4:
        return np.array([[0, 1, 2], [2, 3, 0]])
    later = np.arange(1, corners - 1)
    return np.stack([np.zeros_like(later), later, later + 1], axis=1)


def turned(
    points: Float[np.ndarray, "vertex 3"],
    polygons: Int[np.ndarray, "polygon corner"],
    fan: Int[np.ndarray, "triangle 3"],
) -> Bool[np.ndarray, " polygon"]:
    """Return the polygons in which a triangle of ``fan`` turns against the whole, so that the fan leaves the polygon."""
    first, second, third = (points[polygons[:, fan[:, corner]]] for corner in range(3))
    along, across = second - first, third - first
    areas = np.cross(along, across)
    whole = areas.sum(axis=1, keepdims=True)
    covered = np.linalg.norm(areas, axis=2).sum(axis=1)
    size = np.linalg.norm(whole[:, 0], axis=1)
    against = ((areas * whole).sum(axis=2) < -_SLACK * (size * covered)[:, None]).any(axis=1)
    extent = np.maximum(np.abs(along), np.abs(across)).max(axis=(1, 2))
    return (against | (size < _SLACK * covered)) & (covered > _FLATTEST * extent**2)


def cut_ears(corners: Float[np.ndarray, "corner 3"]) -> tuple[Int[np.ndarray, "triangle 3"], bool]:
    """Return triangles of one polygon, and whether it crosses itself; that one is a fan where it has no ear."""
    edges = corners[1:] - corners[0]
    axis = int(np.abs(np.cross(edges[:-1], edges[1:]).sum(axis=0)).argmax())
    flat = np.ascontiguousarray(np.delete(corners - corners[0], axis, axis=1))
    found = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32)).astype(np.int64).reshape(-1, 3)
    if not len(found):
        return fan_of(len(flat)), True
    area = signed_areas(flat[fan_of(len(flat))]).sum()
    areas = signed_areas(flat[found])
    found[areas * area < 0] = found[areas * area < 0][:, ::-1]
    crosses = abs(np.abs(areas).sum() - abs(area)) > 1e3 * _SLACK * np.abs(areas).sum()
    return with_all_corners(found, len(flat)), bool(crosses)


def with_all_corners(triangles: Int[np.ndarray, "triangle 3"], corners: int) -> Int[np.ndarray, "whole 3"]:
    """Return triangles that have all corners of their polygon: cutting ears leaves out those on a straight edge, at which a
    neighbour of the polygon may end.
    """
    used = np.unique(triangles)
    if len(used) == corners:
        return triangles
    whole = triangles.tolist()
    owner = {(a, b): number for number, (x, y, z) in enumerate(whole) for a, b in ((x, y), (y, z), (z, x))}
    for start, end in zip(used.tolist(), np.roll(used, -1).tolist(), strict=True):
        between = [(start + step) % corners for step in range(1, (end - start) % corners)]
        if not between or (start, end) not in owner:
            continue
        number = owner[start, end]
        (apex,) = set(whole[number]) - {start, end}
        chain = [start, *between, end]
        pieces = [[a, b, apex] for a, b in itertools.pairwise(chain)]
        owner[end, apex] = len(whole) + len(pieces) - 2
        whole[number] = pieces[0]
        whole += pieces[1:]
    return np.array(whole)


def signed_areas(triangles: Float[np.ndarray, "triangle 3 2"]) -> Float[np.ndarray, " triangle"]:
    """Return twice the areas of flat triangles, negative where they turn clockwise."""
    along, across = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
