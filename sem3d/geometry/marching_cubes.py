"""Marching cubes: the surface of a grid of numbers at a level, as triangles (Lorensen and Cline, SIGGRAPH 1987).

The table of cases is made, not listed. Around every face of a cube each run of corners inside is cut off by one segment, so where
corners inside lie across a face they are apart, and both cubes of a face cut it alike: the surface is closed wherever the grid's
border is outside. Faces look from inside to outside.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

CORNERS = np.array([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])
"""Offsets of a cube's corners; the number of one has its offsets as bits."""
EDGES = tuple((a, a | 1 << axis) for axis in range(3) for a in range(8) if not a >> axis & 1)
"""First and second corner of each edge; four along each axis."""
SIDES = ((0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6))
"""Corners of a cube's faces, counter-clockwise as seen from outside."""
FULL = 255


def marching_cubes(
    values: Float[np.ndarray, "x y z"], level: float
) -> tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]:
    """Return vertices, in steps of the grid from its first number, and triangles of the surface around what is above ``level``.

    Each edge of the grid that crosses the level has one vertex, placed linearly.
    """
    values = np.asarray(values, np.float64)
    above = values > level
    # 1. a number and a place for each crossing edge of the grid, axis by axis: (x y z) of the edge's first end
    numbers, places, count = [], [], 0
    for axis in range(3):
        first, second = (np.delete(values, end, axis) for end in (-1, 0))
        ends = np.argwhere((first > level) != (second > level))
        rows = tuple(ends.T)
        share = (level - first[rows]) / (second[rows] - first[rows])
        number = np.full(first.shape, -1)
        number[rows] = np.arange(count, count + len(ends))
        count += len(ends)
        numbers.append(number)
        places.append(ends + share[:, None] * np.eye(3)[axis])
    # 2. the case of each cube (cube), and the vertices of its edges (cube 12)
    size = tuple(length - 1 for length in values.shape)
    case = np.zeros(size, np.int64)
    for corner, (i, j, k) in enumerate(CORNERS):
        case |= above[i : i + size[0], j : j + size[1], k : k + size[2]].astype(np.int64) << corner
    cubes = np.argwhere((case > 0) & (case < FULL))
    of_edges = np.stack(
        [numbers[number // 4][tuple((cubes + CORNERS[first]).T)] for number, (first, _) in enumerate(EDGES)], axis=1
    )
    # 3. the triangles of its case (cube triangle 3)
    edges = triangles_of_cases()[case[tuple(cubes.T)]]
    there = edges[..., 0] >= 0
    faces = np.take_along_axis(of_edges[:, None], edges.clip(min=0), axis=2)[there]
    return np.concatenate(places), faces


@cache
def triangles_of_cases() -> Int[np.ndarray, "256 triangle 3"]:
    """Return the edges that the corners of each case's triangles lie on, -1 where there are no more triangles."""
    found = [[face for loop in loops(case) for face in fan(loop)] for case in range(FULL + 1)]
    table = np.full((len(found), max(map(len, found)), 3), -1)
    for case, faces in enumerate(found):
        if faces:
            table[case, : len(faces)] = faces
    return table


def fan(loop: list[int]) -> list[tuple[int, int, int]]:
    """Return the triangles of a polygon."""
    return [(loop[0], first, second) for first, second in pairwise(loop[1:])]


def loops(case: int) -> list[list[int]]:
    """Return the polygons that cut the corners of a case off, as edges in order.

    Where a walk around a face enters the inside, a segment begins that ends where it leaves it again; the face beyond that edge
    is walked the other way, so there the next segment begins.
    """
    after: dict[int, int] = {}
    for side in SIDES:
        inside = [bool(case >> corner & 1) for corner in side]
        entered = [number for number in range(4) if inside[number] and not inside[number - 1]]
        for number in entered:
            last = number
            while inside[(last + 1) % 4]:
                last += 1
            after[edge_of(side[number - 1], side[number])] = edge_of(side[last % 4], side[(last + 1) % 4])
    found = []
    while after:
        loop = [next(iter(after))]
        while (edge := after.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        found.append(loop)
    return found


def edge_of(corner: int, other: int) -> int:
    """Return the number of the edge between two corners."""
    return EDGES.index((min(corner, other), max(corner, other)))
