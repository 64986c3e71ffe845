"""Pictures of a run: meshes seen from around."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.evaluation.figures import reconstruction_sheet

PICTURED = 5
TURNS = {"same view": 0, "a quarter on": 6, "half round": 12, "three quarters": 18}
"""Steps of 15 degrees from the input's viewpoint."""


def picture_meshes(
    images: UInt8[Tensor, "image 4 64 64"],
    vertices: Float[Tensor, "image vertex 3"],
    faces: Int[Tensor, "face 3"],
    viewpoint: Int[Tensor, " image"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a sheet of images, each beside its mesh from the same view and from around."""
    from sem3d.rendering.shaded_views import clay_views  # PyTorch3D, which hosts that train may lack

    shapes, triangles = vertices.float().cpu().numpy(), faces.cpu().numpy()
    turned = [
        clay_views(shape, triangles, [view + turn for turn in TURNS.values()])
        for shape, view in zip(shapes, viewpoint.tolist(), strict=True)
    ]
    return reconstruction_sheet(list(images.cpu().numpy()), turned, ["input", *TURNS])
