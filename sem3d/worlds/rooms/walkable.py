"""Floor of a furnished room on which a person with a camera can stand."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from sem3d.worlds.rooms.layout import NoPlaceLeft, Placed

CELL = 0.1
MARGIN = 0.22
LEAST_AREA = 0.7


def walkable_floor(size: tuple[float, float, float], furniture: Sequence[Placed]) -> Bool[np.ndarray, "cell_x cell_y"]:
    """Return the cells of 10 cm where a person with a camera can stand: the largest connected free piece of floor.

    Raises :class:`NoPlaceLeft` where it is smaller than 0.7 square metres.
    """
    width, depth, _ = size
    x, y = (np.arange(CELL / 2, side, CELL) for side in (width, depth))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    free = (points >= 0.3).all(axis=1) & (points <= np.array([width, depth]) - 0.3).all(axis=1)
    for one in furniture:
        free &= ~one.contains(points, MARGIN)
    regions, count = ndimage.label(free.reshape(len(x), len(y)))
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() * CELL**2 < LEAST_AREA:
        raise NoPlaceLeft("camera")
    return regions == 1 + int(sizes.argmax())
