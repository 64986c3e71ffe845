"""Points as far apart as can be (Eldar et al., 1997), which PointNet++ and VoteNet take their centres by.

Arrays of NumPy and tensors alike: loaders of samples import no torch.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int


def farthest_points(points: Float[np.ndarray, "point 3"], count: int) -> Int[np.ndarray, " {count}"]:
    """Return rows of ``count`` points: the first, then each time the one farthest from all before; where there are fewer, the
    same rows come again.
    """
    axes = [np.ascontiguousarray(axis)[None] for axis in points.T]
    chosen = farthest_first(axes, np.zeros((1, 1), np.int64), min(count, len(points)))
    return np.resize(np.concatenate(chosen, axis=1)[0], count)


def farthest_first(axes: Sequence[Any], first: Any, count: int) -> list[Any]:
    """Return ``count`` columns (item, 1) of rows, ``first`` (item, 1) leading; of equally far points the one before the others.

    ``axes`` are the coordinates (item, point) of several clouds at once, arrays or tensors.
    """
    items = (first * 0 + 1).cumsum(0) - 1
    x, y, z = axes
    chosen, nearest = [first], None
    while len(chosen) < count:
        last = items, chosen[-1]
        apart = (x - x[last]) ** 2 + (y - y[last]) ** 2 + (z - z[last]) ** 2
        nearest = apart if nearest is None else nearest.clip(max=apart)
        chosen.append(nearest.argmax(-1)[:, None])
    return chosen
