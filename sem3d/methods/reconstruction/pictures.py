"""Pictures of 2.5D sketches and of voxels."""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

Picture = UInt8[np.ndarray, "_ _ 3"]
PAPER = 255


def sketch_pictures(sketch: Float[Tensor, "item 5 side side"], prefix: str) -> dict[str, list[Picture]]:
    """Return columns of pictures: depth, nearer darker, and normals as colours, on white."""
    values = sketch.detach().float().cpu().numpy().transpose(0, 2, 3, 1)
    inside = values[..., 4:] > 0
    depth = np.repeat(200 * (1 - values[..., :1].clip(0, 1)), 3, axis=3)
    normals = (values[..., 1:4].clip(-1, 1) + 1) * 127.5
    return {
        f"{prefix} depth": list(np.where(inside, depth, PAPER).astype(np.uint8)),
        f"{prefix} normals": list(np.where(inside, normals, PAPER).astype(np.uint8)),
    }


def voxel_picture(voxels: Bool[np.ndarray, "x y z"]) -> Picture:
    """Return a grid as seen from its front, -z, and beside it from its left side, nearer darker, y up."""
    front, side = voxels.transpose(1, 0, 2)[::-1, ::-1], voxels.transpose(1, 2, 0)[::-1]
    return (
        np.concatenate([nearness(front), np.full((len(front), 1), PAPER), nearness(side)], 1)[..., None]
        .repeat(3, 2)
        .astype(np.uint8)
    )


def nearness(grid: Bool[np.ndarray, "row column depth"]) -> Float[np.ndarray, "row column"]:
    """Return a shade by the first full voxel of each line, white where there is none."""
    first = grid.argmax(2) / grid.shape[2]
    return np.where(grid.any(2), 40 + 180 * first, PAPER)
