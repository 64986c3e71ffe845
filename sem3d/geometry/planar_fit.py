"""An affine map of the plane that most of some matches agree on, found by trying similarities of two matches each (RANSAC)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

TRIALS = 300
MOST_SCALING = 3.0
FEWEST = 4


@dataclass(frozen=True)
class PlanarFit:
    """A map of the plane: ``target = source @ linear + shift``."""

    linear: Float64[np.ndarray, "2 2"]
    shift: Float64[np.ndarray, "2"]
    agreed: Bool[np.ndarray, " match"]
    """Matches that it is fitted to."""

    def __call__(self, places: Float[np.ndarray, "place 2"]) -> Float64[np.ndarray, "place 2"]:
        """Return where places of the source come to lie."""
        return places.astype(np.float64) @ self.linear + self.shift


def fit_matches(
    source: Float[np.ndarray, "match 2"], target: Float[np.ndarray, "match 2"], reach: float, rng: np.random.Generator
) -> PlanarFit | None:
    """Return the affine map that fits, by least squares, the largest set of matches that one similarity takes within ``reach``
    of their target; None where fewer than four agree, or their places are in a line.

    Similarities come from two matches each, turn and scale by at most 3; an image mirrored is none.
    """
    count = len(source)
    if count < FEWEST:
        return None
    # 1. similarities z -> factor z + shift of complex numbers (trial)
    start, end = (places.astype(np.float64) @ np.array([1, 1j]) for places in (source, target))
    one, other = (rng.integers(0, count, TRIALS) for _ in range(2))
    apart = start[one] - start[other]
    possible = apart != 0
    factor = (end[one] - end[other])[possible] / apart[possible]
    sane = (abs(factor) < MOST_SCALING) & (abs(factor) > 1 / MOST_SCALING)
    factor = factor[sane]
    shift = end[one][possible][sane] - factor * start[one][possible][sane]
    if not len(factor):
        return None
    # 2. matches that agree with each (trial match), and the affine map of the most
    near = abs(factor[:, None] * start + shift[:, None] - end) <= reach
    agreed = near[near.sum(axis=1).argmax()]
    rows = np.concatenate([source[agreed].astype(np.float64), np.ones((int(agreed.sum()), 1))], axis=1)
    if len(rows) < FEWEST or np.linalg.matrix_rank(rows) < 3:
        return None
    found = np.linalg.lstsq(rows, target[agreed].astype(np.float64), rcond=None)[0]
    return PlanarFit(found[:2], found[2], agreed)
