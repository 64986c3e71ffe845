"""Shaded RGBA images of a mesh from the views of the NMR renders, by PyTorch3D's rasteriser.

PyTorch3D's CPU kernel tries every face at every pixel. The image is therefore cut into tiles, each of which is handed over as
a mesh of its own that holds only the faces whose bounding box meets it; the images are the same and come many times sooner.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from sem3d.geometry.nmr_views import VIEWS
from sem3d.geometry.object_views import camera_axes, eyes_of_views, to_device_coordinates

TILE = 16
AMBIENT, HEADLIGHT, SKYLIGHT = 0.3, 0.5, 0.2
DARKEST = 0.03
"""Least reflectance, so that black things show on the black background."""
SLACK = 1e-3
"""Pixels by which a face's box is widened before it is asked for pixel centres, against rounding."""
CLAY = 0.55
"""Reflectance of a mesh without colours."""
MOST_PAIRS = 4_000_000
"""Faces, counted once for each tile they meet, that are rasterised at a time: about 1 GB."""


def shaded_views(
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    face_colors: Float[np.ndarray, "face 3"],
    *,
    views: Sequence[int] = range(VIEWS),
    size: int = 64,
    supersampling: int = 4,
    device: str = "cpu",
) -> UInt8[np.ndarray, "view 4 {size} {size}"]:
    """Draw a mesh in its object frame from some of the 24 views of :mod:`sem3d.geometry.object_views`, or from all.

    ``face_colors`` are linear RGB in [0, 1], raised to at least 0.03. A face is lit the same from both sides, flat: 0.3
    everywhere, 0.5 from the camera, 0.2 from above. Each pixel is the mean of ``supersampling`` squared samples; alpha is the
    covered share, RGB (gamma 2.2) is multiplied by it, so the background is black as in the NMR renders.
    """
    corners = torch.as_tensor(vertices, dtype=torch.float32, device=device)
    triangles = torch.as_tensor(faces, dtype=torch.int64, device=device)
    eyes = eyes_of_views(torch.as_tensor(list(views), device=device))
    seen = to_device_coordinates(corners.expand(len(eyes), -1, -1), eyes)[:, triangles]
    radiance = lit(corners[triangles], torch.as_tensor(face_colors, dtype=torch.float32, device=device), eyes)
    fine = size * supersampling
    images = []
    views_at_once = max(1, MOST_PAIRS // (4 * len(faces)))
    for chosen in torch.arange(len(eyes)).split(views_at_once):
        face = visible_faces(seen[chosen], fine)
        hit = face >= 0
        color = radiance[chosen[:, None, None].to(device), face.clamp(min=0)] * hit[..., None]
        samples = torch.cat([color, hit[..., None]], dim=-1).permute(0, 3, 1, 2)
        images.append(torch.nn.functional.avg_pool2d(samples, supersampling))
    return (torch.cat(images) * 255.0).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def clay_views(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], views: Sequence[int]
) -> list[UInt8[np.ndarray, "4 64 64"]]:
    """Draw a mesh without colours from some views; they may be counted on beyond a whole turn."""
    colors = np.full((len(faces), 3), CLAY)
    return list(shaded_views(vertices, faces, colors, views=[view % VIEWS for view in views]))


def lit(
    triangles: Float[Tensor, "face 3 3"], colors: Float[Tensor, "face 3"], eyes: Float[Tensor, "view 3"]
) -> Float[Tensor, "view face 3"]:
    """Return display RGB in [0, 1] of each face in each view."""
    normals = torch.linalg.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals = torch.nn.functional.normalize(normals, dim=-1, eps=1e-20)
    toward = camera_axes(eyes)[:, 2]
    head = (normals @ toward.T).abs().T
    sky = normals[:, 1].abs()
    light = AMBIENT + HEADLIGHT * head + SKYLIGHT * sky
    return (colors.clamp(DARKEST, 1) * light[..., None]).clamp(0, 1) ** (1 / 2.2)


def visible_faces(seen: Float[Tensor, "view face 3 3"], size: int) -> Int[Tensor, "view {size} {size}"]:
    """Return the number of the nearest face at each pixel, -1 where there is none; ``seen`` is NDC (x right, y up) and depth."""
    tiles = -(-size // TILE)
    if tiles * TILE != size:
        raise ValueError(f"an image of {size} pixels does not divide into tiles of {TILE}")
    left_up_depth = seen * seen.new_tensor([-1.0, 1.0, 1.0])
    view, face, row, column = faces_of_tiles(left_up_depth, tiles)
    tile = (view * tiles + row) * tiles + column
    order = torch.argsort(tile, stable=True)
    view, face, row, column, tile = (x[order] for x in (view, face, row, column, tile))
    centers = 1.0 - (2.0 * torch.stack([column, row], dim=-1) + 1.0) / tiles
    corners = left_up_depth[view, face].clone()
    corners[..., :2] = (corners[..., :2] - centers[:, None]) * tiles
    filled, counts = torch.unique_consecutive(tile, return_counts=True)
    result = seen.new_full((len(seen) * tiles * tiles, TILE, TILE), -1, dtype=torch.int64)
    if len(filled):
        parts = corners.reshape(-1, 3).split((3 * counts).tolist())
        triples = [torch.arange(len(part), device=seen.device).reshape(-1, 3) for part in parts]
        meshes = Meshes(list(parts), triples)
        found = rasterize_meshes(
            meshes, image_size=TILE, blur_radius=0.0, faces_per_pixel=1, bin_size=0, perspective_correct=True
        )[0][..., 0]
        result[filled] = torch.where(found >= 0, face[found.clamp(min=0)], found)
    grid = result.reshape(len(seen), tiles, tiles, TILE, TILE)
    return grid.permute(0, 1, 3, 2, 4).reshape(len(seen), size, size)


def faces_of_tiles(
    corners: Float[Tensor, "view face 3 3"], tiles: int
) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"], Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Return view, face, tile row and tile column of every face and tile where the face's box holds the centre of a pixel.

    x points left and y up, against the order in which tiles are counted.
    """
    in_pixels = (1.0 - corners[..., :2]) * (tiles * TILE / 2.0) - 0.5
    first = (in_pixels.amin(dim=2) - SLACK).ceil().long().clamp(min=0)
    last = (in_pixels.amax(dim=2) + SLACK).floor().long().clamp(max=tiles * TILE - 1)
    inside = (first <= last).all(-1) & (corners[..., 2] > 1e-8).all(-1)
    low, high = first // TILE, last // TILE
    view, face = torch.nonzero(inside, as_tuple=True)
    low, span = low[view, face], (high - low + 1)[view, face]
    count = span[:, 0] * span[:, 1]
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    turn = torch.arange(len(owner), device=count.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
    column = low[owner, 0] + turn % span[owner, 0]
    row = low[owner, 1] + turn // span[owner, 0]
    return view[owner], face[owner], row, column
