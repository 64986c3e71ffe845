"""The surface of a grid of occupancies as a mesh, by PyTorch3D's marching cubes (Lorensen and Cline, SIGGRAPH 1987)."""

import numpy as np
import torch
from jaxtyping import Float, Int
from pytorch3d.ops.marching_cubes import marching_cubes

from sem3d.geometry.voxel_places import places_in_object


def voxel_mesh(
    occupancy: Float[np.ndarray, "x y z"], level: float
) -> tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]:
    """Return vertices in the object's frame and faces that look outward, of the surface where occupancy is ``level``.

    What the grid does not hold is empty, so the surface is closed. No vertex and no face where no voxel reaches the level.
    """
    side = len(occupancy)
    if not (occupancy > level).any():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    padded = np.pad(occupancy.astype(np.float32), 1)
    volume = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 1, 0)))[None]
    vertices, faces = marching_cubes(volume, level, return_local_coords=False)
    places = (
        vertices[0].double().numpy() - 0.5
    )  # voxel 0 of the padded grid has its middle at 0, and lies before the first
    return places_in_object(places, side), outward(places, faces[0].long().numpy())


def outward(vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "face 3"]:
    """Return the faces of a closed mesh, all turned round where its signed volume is negative."""
    corners = vertices[faces] - vertices.mean(axis=0)
    return faces if np.linalg.det(corners).sum() >= 0 else faces[:, ::-1].copy()
