"""Sorted tables of occupied grid cells, with neighbours that are found by counting bits instead of searching."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Int64

MARGIN = 6
"""Empty cells kept around the grid, so that the key of every cell up to five steps away is in range and names no other."""
_BITMAP_CELLS = 1 << 29  # 64 MB of bits and as much of counts, whatever lies far from the rest
_MOST_CELLS = 1 << 46  # leaves bits of a key for 2^16 frames


def cell_keys(
    points: Float[np.ndarray, "point 3"], size: float
) -> tuple[Int64[np.ndarray, " point"], tuple[int, int, int]]:
    """Return one integer a cell of edge ``size``, counted from the points' lowest corner, and its strides along x, y and z (1).

    Raises ValueError where a point is not finite or the grid would have more than 2^46 cells.
    """
    scaled = (points - points.min(axis=0)) / size
    if not np.isfinite(scaled).all() or np.prod(scaled.max(axis=0) + 2 * MARGIN) > _MOST_CELLS:
        raise ValueError(f"points are not finite or too far apart for cells of {size} m")
    index = scaled.astype(np.int64) + MARGIN
    rows, columns = int(index[:, 1].max()) + MARGIN, int(index[:, 2].max()) + MARGIN
    return (index[:, 0] * rows + index[:, 1]) * columns + index[:, 2], (rows * columns, columns, 1)


def ranker(
    cells: Int64[np.ndarray, " cell"], strides: tuple[int, int, int]
) -> Callable[[Int64[np.ndarray, " key"]], Int[np.ndarray, " key"]]:
    """Return a function that counts the sorted ``cells`` before each key: ``searchsorted``, about five times as fast.

    One bit a grid cell and a count every 64 bits; a grid too large for that is searched instead.
    """
    top = int(cells[-1]) + MARGIN * sum(strides)
    if top > _BITMAP_CELLS:
        return partial(np.searchsorted, cells)
    bitmap = np.zeros((top >> 6) + 1, dtype=np.uint64)
    np.bitwise_or.at(bitmap, cells >> 6, _bit(cells))
    count = np.bitwise_count(bitmap)
    before = np.cumsum(count, dtype=np.int64)
    before -= count

    def rank(keys: Int64[np.ndarray, " key"]) -> Int[np.ndarray, " key"]:
        word = keys >> 6
        return before[word] + np.bitwise_count(bitmap[word] & (_bit(keys) - np.uint64(1)))

    return rank


def run_starts(ascending: Int[np.ndarray, " item"]) -> Int[np.ndarray, " run"]:
    """Return the beginning of each run of equal values."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[0] - 1))


def expand_runs(
    start: Int[np.ndarray, " run"], length: Int[np.ndarray, " run"]
) -> tuple[Int[np.ndarray, " item"], Int[np.ndarray, " item"]]:
    """Return the integers ``start .. start + length - 1`` of all runs one after another, and the run that each belongs to."""
    run = np.repeat(np.arange(len(start)), length)
    return np.arange(len(run)) + (start - np.cumsum(length) + length)[run], run


def _bit(number: Int64[np.ndarray, " item"]) -> np.ndarray:
    return np.uint64(1) << (number & 63).astype(np.uint64)
