"""Places that a reflection or turns map onto each other, found from the places alone."""

from itertools import combinations

import numpy as np
from jaxtyping import Float

TURNS = range(8, 2, -1)
"""Numbers of equal parts of a turn that are looked for."""


def mirror_pairs(places: Float[np.ndarray, "place 3"], reach: float) -> list[tuple[int, int]]:
    """Return places that are each other's mirror image at the plane x = 0, within ``reach``, each the nearest of the other."""
    mirrored = places * np.array([-1.0, 1.0, 1.0])
    apart = np.linalg.norm(mirrored[:, None] - places[None], axis=2)
    nearest = apart.argmin(axis=1) if len(places) else np.zeros(0, np.int64)
    return [
        (one, int(other))
        for one, other in enumerate(nearest)
        if one < other and nearest[other] == one and apart[one, other] <= reach
    ]


def turned_groups(places: Float[np.ndarray, "place 3"], reach: float) -> list[tuple[int, ...]]:
    """Return groups of places that a turn by an equal part of a circle about an axis along y maps onto themselves, within
    ``reach``; larger groups first, each place in one at most. Groups have three members at least.
    """
    found: list[tuple[int, ...]] = []
    for size in TURNS:
        free = [place for place in range(len(places)) if not any(place in group for group in found)]
        for group in combinations(free, size) if len(free) <= 16 else ():
            if any(place in other for other in found for place in group):
                continue
            if turn_error(places[list(group)]) <= reach:
                found.append(group)
    return found


def turn_error(places: Float[np.ndarray, "place 3"]) -> float:
    """Return how far, at most, the places lie from corners of a regular polygon about their own vertical axis."""
    offsets = places.astype(np.float64) - places.mean(axis=0)
    size = len(places)
    order = np.argsort(np.arctan2(offsets[:, 0], offsets[:, 2]))
    plane = offsets[order][:, [2, 0]] @ np.array([1, 1j])
    part = np.exp(2j * np.pi * np.arange(size) / size)
    corner = (plane * part.conj()).mean()
    away = np.abs(plane - corner * part)
    radius = abs(corner)
    flat = np.hypot(away, offsets[order, 1])
    return float(flat.max()) if radius > 0 else float("inf")
