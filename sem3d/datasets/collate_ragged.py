"""Joining items with any number of voxels into one batch: rows follow one another, references to rows are moved along."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def row_starts(counts: Sequence[int]) -> Int[np.ndarray, " item"]:
    """Return the first row of each item where items of ``counts`` rows follow one another."""
    return np.cumsum([0, *counts[:-1]])


def concatenate_numbered(
    parts: Sequence[Int[np.ndarray, "_ 3"]], numbers: Sequence[int] | None = None
) -> Int[np.ndarray, "row 4"]:
    """Join the voxels of items, each row led by the number of its item (0, 1, ... unless told): (number, x, y, z)."""
    counts = [len(part) for part in parts]
    joined = np.empty((sum(counts), 4), np.int32)
    joined[:, 0] = np.repeat(range(len(parts)) if numbers is None else numbers, counts)
    np.concatenate(parts, out=joined[:, 1:], casting="same_kind")
    return joined


def renumbered(parts: Sequence[Int[np.ndarray, "_ 4"]], each: int) -> Int[np.ndarray, "row 4"]:
    """Join voxels of items whose rows are led by a number below ``each``, which becomes ``each * item + number``."""
    return np.concatenate(
        [part + np.array([each * item, 0, 0, 0], np.int32) for item, part in enumerate(parts)]
    ).astype(np.int32)


def stack_references(
    references: Sequence[Int[np.ndarray, "*view match"]], valid: Sequence[np.ndarray], counts: Sequence[int]
) -> Int[np.ndarray, "item *view match"]:
    """Stack row numbers of items as row numbers of the joined rows; an item that is not ``valid`` refers to row 0."""
    return np.stack(
        [
            np.where(known, rows + start, 0)
            for rows, known, start in zip(references, valid, row_starts(counts), strict=True)
        ]
    )
