"""Symmetry groups of aggregated meanings, by where their keypoints lie on most models (2D-3D-2D, section 3.5)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sem3d.geometry.symmetric_places import mirror_pairs, turned_groups

REACH = 0.05
"""Of the box's diagonal."""


@dataclass(frozen=True)
class SymmetryGroups:
    """Meanings that a reflection, or turns about y, map onto each other."""

    reflections: list[tuple[int, int]]
    rotations: list[tuple[int, ...]]


def symmetry_groups(
    clouds: Float[np.ndarray, "model point 3"], keypoints: Int[np.ndarray, "model meaning"]
) -> SymmetryGroups:
    """Return the groups that more than half of the models with all their meanings show."""
    pairs: dict[tuple[int, ...], int] = {}
    turns: dict[tuple[int, ...], int] = {}
    for cloud, own in zip(clouds, keypoints, strict=True):
        there = np.flatnonzero(own >= 0)
        places = cloud[own[there]]
        for counts, groups in ((pairs, mirror_pairs(places, REACH)), (turns, turned_groups(places, REACH))):
            for group in groups:
                named = tuple(int(there[member]) for member in group)
                counts[named] = counts.get(named, 0) + 1

    def usual(counts: dict[tuple[int, ...], int]) -> list[tuple[int, ...]]:
        return sorted(
            group for group, count in counts.items() if 2 * count > (keypoints[:, list(group)] >= 0).all(axis=1).sum()
        )

    return SymmetryGroups([(group[0], group[1]) for group in usual(pairs)], usual(turns))
