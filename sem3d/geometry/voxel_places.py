"""Places of a shape's grid in the object's frame, as :mod:`sem3d.geometry.solid_voxels` lays it."""

import numpy as np
from jaxtyping import Float


def places_in_object(places: Float[np.ndarray, "place 3"], side: int) -> Float[np.ndarray, "place 3"]:
    """Return where places of a grid of ``side``, in voxels from its corner, lie in the object's frame; 0.5 is the middle of the
    first voxel, and lies at -0.5.
    """
    return (places - side / 2) / (side - 1)
