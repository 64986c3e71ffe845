"""The surface of a grid of occupancies as a mesh in the object's frame."""

import numpy as np
from jaxtyping import Float, Int

from sem3d.geometry.marching_cubes import marching_cubes
from sem3d.geometry.voxel_places import places_in_object


def voxel_mesh(
    occupancy: Float[np.ndarray, "x y z"], level: float
) -> tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]:
    """Return vertices in the object's frame and faces that look outward, of the surface where occupancy is ``level``.

    What the grid does not hold is empty, so the surface is closed. No vertex and no face where no voxel reaches the level.
    """
    if not (occupancy > level).any():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices, faces = marching_cubes(np.pad(occupancy.astype(np.float64), 1), level)
    # voxel 0 of the padded grid has its middle at 0, and lies before the first
    return places_in_object(vertices - 0.5, len(occupancy)), faces
