"""Soft silhouettes a second, image and gradient, against PyTorch3D's soft rasteriser and Dr.Jit on the same meshes.

A bumped sphere of 642 vertices and 1,280 faces in four views at 64x64, sigma 1e-4: one object of SSR's training. PyTorch3D
gets as many faces a pixel as it needs for the image to agree to 1e-4; Dr.Jit, where it is installed, computes the same image and
gradient (:mod:`jobs.benchmarks.drjit_silhouettes`). On a CPU, all have one thread and seconds are CPU time; on a GPU, sem3d and
PyTorch3D run there.
"""

import importlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
import torch
import trimesh
from torch import Tensor

from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.rendering.fast_silhouettes import fast_silhouettes

VIEWS, SUBDIVISIONS, SIZE, SIGMA, ROUNDS = (0, 5, 11, 17), 3, 64, 1e-4, 5
FACES_PER_PIXEL = (50, 100, 150, 200)
PARTS = ("image", "gradient", "image and gradient")
AGREE = 1e-4
"""Largest difference of two images, and of two gradients as a share of the largest."""
Way = Callable[[], tuple[float, float]]
"""Draws all views; seconds of the image and of its gradient."""


def bumped_sphere(device: str) -> tuple[Tensor, Tensor]:
    """Return NDC of the sphere in each view, and its faces."""
    sphere = trimesh.creation.icosphere(subdivisions=SUBDIVISIONS)
    points = torch.from_numpy(sphere.vertices.astype(np.float32))
    points = points * (0.4 + 0.08 * torch.sin(5 * points).prod(1, keepdim=True))
    vertices = to_device_coordinates(points.expand(len(VIEWS), -1, -1), eyes_of_views(torch.tensor(VIEWS)))
    return vertices.to(device), torch.from_numpy(sphere.faces.astype(np.int64)).to(device)


def timed(draw: Callable[[Tensor], Tensor], vertices: Tensor) -> tuple[float, float]:
    """Return seconds of the image and of its gradient."""
    leaf = vertices.clone().requires_grad_()
    start = _now()
    image = draw(leaf)
    drawn = _now()
    image.sum().backward()
    return drawn - start, _now() - drawn


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, rival, unit)."""
    from sem3d.rendering.pytorch3d_silhouettes import pytorch3d_silhouettes  # a GPU's part needs the mesh alone

    vertices, faces = bumped_sphere("cuda" if torch.cuda.is_available() else "cpu")

    def ours(leaf: Tensor) -> Tensor:
        return fast_silhouettes(leaf, faces, size=SIZE, sigma=SIGMA)

    def rival(leaf: Tensor, most: int) -> Tensor:
        return pytorch3d_silhouettes(leaf, faces, size=SIZE, sigma=SIGMA, faces_per_pixel=most)

    with _one_thread():
        image = ours(vertices)
        enough = next(most for most in FACES_PER_PIXEL if (rival(vertices, most) - image).abs().max() < AGREE)
        against = f"PyTorch3D with {enough} faces a pixel"
        ways: dict[str, Way] = {
            "sem3d": lambda: timed(ours, vertices),
            against: lambda: timed(lambda leaf: rival(leaf, enough), vertices),
        }
        rivals = {against: f"against {against}", "Dr.Jit": "Dr.Jit with LLVM is not installed"}
        if not vertices.is_cuda and (other := _drjit(vertices, faces, ours)):
            ways["Dr.Jit"], rivals["Dr.Jit"] = other, "against Dr.Jit"
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, measure in ways.items():
                times[way].append(measure())
    speed = {way: _images_a_second(found) for way, found in times.items()}
    return [
        (f"silhouettes, {what} ({vertices.device.type}), {words}", ours, other, "images")
        for way, words in rivals.items()
        for what, ours, other in zip(PARTS, speed["sem3d"], speed.get(way, [math.nan] * len(PARTS)), strict=True)
    ]


def _images_a_second(times: list[tuple[float, float]]) -> list[float]:
    columns = [*zip(*times, strict=True), [sum(both) for both in times]]
    return [len(VIEWS) / median(column) for column in columns]


def _drjit(vertices: Tensor, faces: Tensor, ours: Callable[[Tensor], Tensor]) -> Way | None:
    """Return Dr.Jit's way, whose kernels are compiled by then, or None without it; raise if it computes anything else."""
    try:
        module = importlib.import_module("jobs.benchmarks.drjit_silhouettes")
    except ImportError:
        return None
    mesh = module.DrJitSilhouettes(vertices, faces, SIZE, SIGMA)
    leaf = vertices.clone().requires_grad_()
    image = ours(leaf)
    image.sum().backward()
    assert leaf.grad is not None
    for expected, found in zip((image.detach(), leaf.grad[..., :2]), mesh.image_and_gradient(), strict=True):
        difference = (found.view_as(expected) - expected).abs().max()
        assert difference < AGREE * expected.abs().max(), f"Dr.Jit differs by {difference}"

    def draw_and_pull() -> tuple[float, float]:
        start = _now()
        depth, _ = mesh.draw()
        drawn = _now()
        mesh.pull(depth)
        return drawn - start, _now() - drawn

    return draw_and_pull


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _now() -> float:
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
