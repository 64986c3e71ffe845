"""The nearest of many points within a small radius, exactly: cells, sorted once, and all candidates of many queries at a time."""

import numpy as np
from jaxtyping import Float, Int, Int64

from sem3d.geometry.cells import expand_runs, ranker, run_starts
from sem3d.geometry.voxels import pack, voxel_indices

PAIRS_AT_ONCE = 1 << 16
"""Distances that are held at once, about: their arrays stay in a processor's cache."""
MARKED_CELLS = 1 << 24
"""Cells of a grid that is small enough to mark those that are looked at."""


def nearest_within(
    queries: Float[np.ndarray, "query 3"], targets: Float[np.ndarray, "target 3"], radius: float
) -> Int[np.ndarray, " query"]:
    """Return the row of the nearest target less than ``radius`` away, -1 where there is none.

    Targets are hashed to cells twice as wide as the radius, so that a ball touches two cells along each axis. Raises
    ValueError where a point is not finite, or targets lie too far from the origin for such cells.
    """
    nearest = np.full(len(queries), -1, dtype=np.int64)
    if not len(queries) or not len(targets):
        return nearest
    # 1. cells of the targets (target 3), counted from two empty ones below the lowest
    cells = voxel_indices(targets, 2 * radius)
    low, high = cells.min(axis=0).astype(np.int64) - 2, cells.max(axis=0).astype(np.int64) + 2
    pack(np.stack([low, high]))  # raises where keys would not fit
    sides = high - low + 1
    along_x, along_y = int(sides[1] * sides[2]), int(sides[2])
    strides, grid = np.array([along_x, along_y, 1]), int(sides[0]) * along_x
    keys = (cells - low) @ strides
    # 2. lowest cell that the ball of each query touches, or an empty one beside all others, and those of the four columns of two
    #    cells that it touches (query 4)
    base = np.clip(voxel_indices(queries - radius, 2 * radius), low, high - 1) - low
    first = (base @ strides)[:, None] + np.array([0, along_y, along_x, along_x + along_y])
    # 3. targets in cells that any ball touches, in ascending order of cell (near), and these cells, each a run of targets (cell)
    near = np.arange(len(keys))
    if grid <= MARKED_CELLS:
        touched = np.zeros(grid, dtype=bool)
        touched[first] = touched[first + 1] = True
        near = np.flatnonzero(touched[keys])
        if not len(near):
            return nearest
    keys, order = in_order(keys[near], grid)
    order = near[order]
    start = run_starts(keys)
    rank = ranker(keys[start], (along_x, along_y, 1))
    start = np.append(start, len(keys))
    # 4. the targets of a column are one run, `slot` to `end` (query 4)
    beyond = keys[-1] + 1  # from here on ranks are all the same
    slot, end = (start[rank(np.minimum(key.ravel(), beyond))].reshape(first.shape) for key in (first, first + 2))
    # 5. queries with any candidate, in blocks of about as many pairs (block)
    count = end - slot
    asked = np.flatnonzero(count.any(axis=1))
    pairs = np.cumsum(count[asked].sum(axis=1))
    cuts = np.unique(np.searchsorted(pairs, np.arange(PAIRS_AT_ONCE, pairs.max(initial=0), PAIRS_AT_ONCE)))
    columns = np.ascontiguousarray(targets[order].T)
    for block in np.split(asked, cuts[cuts > 0]) if len(asked) else []:
        # 6. the squared distance of each candidate of each query, one query after another (pair)
        slots, run = expand_runs(slot[block].ravel(), count[block].ravel())
        query = run >> 2
        x, y, z = (places[block][query] - column[slots] for places, column in zip(queries.T, columns, strict=True))
        distance = x * x + y * y + z * z
        # 7. the least of each query, the first one of equals (block)
        least = np.minimum.reduceat(distance, run_starts(query))
        found = np.flatnonzero(distance == least[query])
        found = found[run_starts(query[found])]
        close = least < radius**2
        nearest[block[close]] = order[slots[found[close]]]
    return nearest


def in_order(
    keys: Int64[np.ndarray, " item"], most: int
) -> tuple[Int64[np.ndarray, " item"], Int[np.ndarray, " item"]]:
    """Return ``keys`` below ``most``, none negative, in ascending order, and the item of each, equal ones in their order.

    A stable ``argsort``, but several times as fast where key and item fit into one integer.
    """
    bits = len(keys).bit_length()
    if most >= 1 << (63 - bits):
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    both = np.sort((keys << bits) | np.arange(len(keys)))
    return both >> bits, both & ((1 << bits) - 1)
