"""Soft silhouettes a second, image and gradient, against PyTorch3D's soft rasteriser on the same meshes.

A bumped sphere of 642 vertices and 1,280 faces in four views at 64x64, sigma 1e-4: one object of SSR's training. PyTorch3D
gets as many faces a pixel as it needs for the image to agree to 1e-4. On a GPU, both run there.
"""

import time
from statistics import median

import numpy as np
import torch
import trimesh
from torch import Tensor

from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.rendering.fast_silhouettes import fast_silhouettes
from sem3d.rendering.pytorch3d_silhouettes import pytorch3d_silhouettes

VIEWS, SUBDIVISIONS, SIZE, SIGMA, ROUNDS = (0, 5, 11, 17), 3, 64, 1e-4, 5
FACES_PER_PIXEL = (50, 100, 150, 200)


def bumped_sphere(device: str) -> tuple[Tensor, Tensor]:
    """Return NDC of the sphere in each view, and its faces."""
    sphere = trimesh.creation.icosphere(subdivisions=SUBDIVISIONS)
    points = torch.from_numpy(sphere.vertices.astype(np.float32))
    points = points * (0.4 + 0.08 * torch.sin(5 * points).prod(1, keepdim=True))
    vertices = to_device_coordinates(points.expand(len(VIEWS), -1, -1), eyes_of_views(torch.tensor(VIEWS)))
    return vertices.to(device), torch.from_numpy(sphere.faces.astype(np.int64)).to(device)


def timed(draw, vertices: Tensor) -> tuple[Tensor, float, float]:
    """Return the image, and seconds for it and for its gradient."""
    leaf = vertices.clone().requires_grad_()
    start = _now()
    image = draw(leaf)
    drawn = _now()
    image.sum().backward()
    return image.detach(), drawn - start, _now() - drawn


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, PyTorch3D, unit)."""
    vertices, faces = bumped_sphere("cuda" if torch.cuda.is_available() else "cpu")

    def ours(leaf: Tensor) -> Tensor:
        return fast_silhouettes(leaf, faces, size=SIZE, sigma=SIGMA)

    def rival(leaf: Tensor, most: int) -> Tensor:
        return pytorch3d_silhouettes(leaf, faces, size=SIZE, sigma=SIGMA, faces_per_pixel=most)

    image = ours(vertices)
    enough = next(most for most in FACES_PER_PIXEL if (rival(vertices, most) - image).abs().max() < 1e-4)
    times = []
    for _ in range(ROUNDS):
        times.append((*timed(ours, vertices)[1:], *timed(lambda leaf: rival(leaf, enough), vertices)[1:]))
    forward, backward, rival_forward, rival_backward = (median(column) for column in zip(*times, strict=True))
    both, rival_both = (median(a + b for a, b in (row[cut] for row in times)) for cut in (slice(0, 2), slice(2, 4)))
    count, where = len(VIEWS), f"{vertices.device.type}, PyTorch3D with {enough} faces a pixel"
    return [
        (f"silhouettes, image ({where})", count / forward, count / rival_forward, "images"),
        ("silhouettes, gradient", count / backward, count / rival_backward, "images"),
        ("silhouettes, image and gradient", count / both, count / rival_both, "images"),
    ]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
