"""For every point of a scene, which frames have a point near it: the inner loop of :mod:`sem3d.geometry.overlap`.

Frames are bits of 64-bit words, and space is cut into cells a fraction of the radius wide. Where even the farthest corners
of two cells lie within the radius, all frames of one match all points of the other by a single OR; where the nearest
corners lie beyond it, nothing does. Only the rest is measured, nearest cells first, and only for the combinations of point
and frame that nothing nearer has settled. The result is exact.
"""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from sem3d.geometry.cells import cell_keys, expand_runs, ranker, run_starts

_SURE, _OPEN = 4, 2  # cells a radius: fine cells leave less open, coarse ones are fewer to visit
_SLACK = 1e-9  # relative; keeps decisions about whole cells on the safe side of rounding
_ONE = np.uint64(1)


def frames_within(
    points: Float[np.ndarray, "point 3"], frame: Int[np.ndarray, " point"], radius: float
) -> UInt64[np.ndarray, "point word"]:
    """Return for each point the frames that have a point at most ``radius`` metres away: bit ``f % 64`` of word ``f // 64``.

    ``frame`` is the frame of each point, counted from 0; its own bit is always set. Squared distances are compared in
    float64. Raises ValueError where a point is not finite.
    """
    if len(points) == 0:
        return np.zeros((0, 1), dtype=np.uint64)
    points = points.astype(np.float64, copy=False)
    # 1. frames known from whole cells alone (point word)
    found = _settle_whole_cells(points, frame, radius)
    # 2. points in order of cell, then of frame (point)
    keys, strides = cell_keys(points, radius / _OPEN)
    order = np.argsort(keys * (int(frame.max()) + 1) + frame)
    # 3. the rest by measured distances, in that order (point word)
    found = found[order]
    _settle_points(points[order], frame[order], keys[order], strides, radius, found)
    # 4. back in the order of the caller (point word)
    unsorted = np.empty_like(found)
    unsorted[order] = found
    return unsorted


def _settle_whole_cells(
    points: Float[np.ndarray, "point 3"], frame: Int[np.ndarray, " point"], radius: float
) -> UInt64[np.ndarray, "point word"]:
    """Return bits of the frames that have a point in a cell of which every part is within reach of the point's whole cell."""
    # 1. occupied cells in ascending order (cell), and the frames in each (cell word)
    keys, strides = cell_keys(points, radius / _SURE)
    order = np.argsort(keys, kind="stable")
    start = run_starts(keys[order])
    cells = keys[order][start]
    bits = _frames_of_runs(frame[order], start)
    # 2. OR of the frames of all cells wholly within reach (cell word), one column (x, y) of the ball at a time: its cells
    #    follow one another in `cells`
    rank = ranker(cells, strides)
    found = np.zeros_like(bits)
    for x, y in product(range(-_SURE, _SURE), repeat=2):
        run = [z for z in range(-_SURE, _SURE) if sum((abs(a) + 1) ** 2 for a in (x, y, z)) < _SURE**2 * (1 - _SLACK)]
        if run:
            column = cells + (x * strides[0] + y * strides[1])
            first = rank(column + run[0])
            length = rank(column + (run[-1] + 1)) - first
            for step in range(length.max()):
                cell = np.flatnonzero(length > step)
                found[cell] |= bits[first[cell] + step]
    # 3. each point has the frames of its cell (point word)
    of_points = np.empty((len(points), bits.shape[1]), dtype=np.uint64)
    of_points[order] = np.repeat(found, np.diff(start, append=len(points)), axis=0)
    return of_points


def _settle_points(
    points: Float[np.ndarray, "point 3"],
    frame: Int[np.ndarray, " point"],
    keys: Int[np.ndarray, " point"],
    strides: tuple[int, int, int],
    radius: float,
    found: UInt64[np.ndarray, "point word"],
) -> None:
    """Set the bits of ``found`` that only distances can tell; all arrays are sorted by cell, then by frame."""
    # 1. cells as runs of points (cell), and the frames in each (cell word); groups are runs of one cell and frame (group),
    #    `groups_before` the number of groups before each cell and word (cell word)
    start = run_starts(keys)
    size = np.diff(start, append=len(keys))
    cells, known = keys[start], np.append(keys[start], -1)
    cell_bits = bits = _frames_of_runs(frame, start)
    group = np.append(run_starts(keys * (int(frame.max()) + 1) + frame), len(keys))
    groups_before = np.cumsum(np.bitwise_count(bits), dtype=np.int64).reshape(bits.shape) - np.bitwise_count(bits)
    # 2. where each point lies in its own cell (3 point), for bounds that need no other point
    within_cell = np.ascontiguousarray((points - points.min(axis=0)).T)
    within_cell -= np.floor(within_cell / (radius / _OPEN)) * (radius / _OPEN)  # rounds as cell_keys does; % may not
    x, y, z = np.ascontiguousarray(points.T)
    rank = ranker(cells, strides)
    words = found.shape[1]
    bits, groups_before, flat = bits.ravel(), groups_before.ravel(), found.reshape(-1)
    shell = -1
    for offset in _offsets_in_reach():
        # 3. once a shell: frames that some point of the cell still lacks (cell word)
        if max(map(abs, offset)) > shell:
            shell = max(map(abs, offset))
            unsettled = ~np.bitwise_and.reduceat(found, start, axis=0)
        # 4. occupied neighbours of all cells at this offset (cell), and words in which they may add a frame (row)
        neighbour_key = cells + sum(step * stride for step, stride in zip(offset, strides, strict=True))
        neighbour = rank(neighbour_key)
        cell = np.flatnonzero(known[neighbour] == neighbour_key)
        row, word = np.nonzero(cell_bits[neighbour[cell]] & unsettled[cell])
        there = neighbour[cell[row]] * words + word
        # 5. every point of such a cell (pair), and the frames that it lacks and the neighbour has (pair)
        point, pair = expand_runs(start[cell[row]], size[cell[row]])
        slot = point * words + word[pair]
        mask = bits[there][pair] & ~flat[slot]
        # 6. only points whose ball reaches the neighbour (live), one item a missing frame (item)
        live = np.flatnonzero(mask)
        live = live[_ball_reaches(within_cell, point[live], offset, radius)]
        item, bit = _single_bits(mask[live])
        item = live[item]
        point, slot, there = point[item], slot[item], there[pair[item]]
        # 7. the neighbour's points of that frame, from `candidate` to `end` (item)
        nth = groups_before[there] + np.bitwise_count(bits[there] & (bit - _ONE))
        candidate, end = group[nth], group[nth + 1]
        # 8. one candidate an item at a time, until one is close or none is left
        while len(point):
            squared = (x[point] - x[candidate]) ** 2 + (y[point] - y[candidate]) ** 2 + (z[point] - z[candidate]) ** 2
            close = squared <= radius * radius
            np.bitwise_or.at(flat, slot[close], bit[close])
            candidate = candidate + 1
            left = np.flatnonzero(~close & (candidate < end))
            point, slot, bit, candidate, end = (array[left] for array in (point, slot, bit, candidate, end))


def _frames_of_runs(frame: Int[np.ndarray, " point"], start: Int[np.ndarray, " run"]) -> UInt64[np.ndarray, "run word"]:
    """Return the OR of the frames' bits over each run of points."""
    word, bit = frame >> 6, _ONE << (frame & 63).astype(np.uint64)
    words = range(int(frame.max() >> 6) + 1)
    return np.stack([np.bitwise_or.reduceat(np.where(word == w, bit, np.uint64(0)), start) for w in words], axis=1)


def _single_bits(mask: UInt64[np.ndarray, " item"]) -> tuple[Int[np.ndarray, " bit"], UInt64[np.ndarray, " bit"]]:
    """Return each set bit on its own, and the item that it came from."""
    place = np.flatnonzero(np.unpackbits(mask.astype("<u8").view(np.uint8), bitorder="little").view(np.bool_))
    return place >> 6, _ONE << (place & 63).astype(np.uint64)


def _offsets_in_reach() -> list[tuple[int, ...]]:
    """Return offsets between cells that can hold points within the radius of each other, shell by shell, nearest first."""
    offsets = product(range(-_OPEN - 1, _OPEN + 2), repeat=3)
    in_reach = (o for o in offsets if sum(max(abs(step) - 1, 0) ** 2 for step in o) <= _OPEN**2)
    return sorted(in_reach, key=lambda o: (max(map(abs, o)), sum(step * step for step in o)))


def _ball_reaches(
    within_cell: Float[np.ndarray, "3 point"], row: Int[np.ndarray, " row"], offset: tuple[int, ...], radius: float
) -> Bool[np.ndarray, " row"]:
    """Return whether the balls around these points, given from their own cells' low corners, touch the cells at ``offset``."""
    squared = np.zeros(len(row))
    for axis, step in enumerate(offset):
        if step:
            face = (step if step > 0 else step + 1) * (radius / _OPEN)
            squared += (within_cell[axis, row] - face) ** 2
    return squared <= radius**2 * (1 + _SLACK)
