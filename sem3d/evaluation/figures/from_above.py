"""A scene of voxels as pictures from above, what hangs above a height cut away."""

import numpy as np
from jaxtyping import Int, Shaped


def seen_from_above(
    voxel: Int[np.ndarray, "voxel 3"], values: Shaped[np.ndarray, "voxel *band"], cut: float
) -> Shaped[np.ndarray, "row column *band"]:
    """Return the value of the highest voxel over each place of the ground, 0 where there is none; y grows upwards.

    Voxels more than ``cut`` above the lowest one are left out, so that a ceiling hides nothing.
    """
    kept = voxel[:, 2] - voxel[:, 2].min() <= cut
    voxel, values = voxel[kept], values[kept]
    column, row = (voxel[:, :2] - voxel[:, :2].min(axis=0)).T
    row = row.max() - row
    picture = np.zeros((int(row.max()) + 1, int(column.max()) + 1, *values.shape[1:]), values.dtype)
    upwards = np.argsort(voxel[:, 2], kind="stable")
    picture[row[upwards], column[upwards]] = values[upwards]
    return picture
