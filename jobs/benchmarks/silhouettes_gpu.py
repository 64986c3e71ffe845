"""Soft silhouettes on a GPU, image and gradient, beside PyTorch3D's soft rasteriser where it loads.

The bumped sphere of :mod:`jobs.benchmarks.silhouettes`, as many images as a step of SSR draws: 64 pairs of views are 256. How far
the two images lie apart is said beside the times; PyTorch3D counts the nearest faces of a pixel only.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from jobs.benchmarks import on_gpu, silhouettes
from jobs.benchmarks.on_gpu import milliseconds
from sem3d.errors import one_line
from sem3d.rendering import soft_silhouettes

IMAGES = (64, 256)
FACES_PER_PIXEL = 50


def lines() -> Iterator[str]:
    """Yield a line for each number of images; raise a :class:`UserError` without a GPU."""
    on_gpu.require("silhouettes")
    few, faces = silhouettes.bumped_sphere(on_gpu.DEVICE)
    for images in IMAGES:
        vertices = few.repeat(-(-images // len(few)), 1, 1)[:images]
        ours = partial(soft_silhouettes, faces=faces, size=silhouettes.SIZE, sigma=silhouettes.SIGMA)
        what = f"silhouettes, {images} images of {silhouettes.SIZE} px, {len(faces)} faces, forward and backward"
        alone = milliseconds(partial(_both_ways, ours, vertices))
        yield f"{what}: {alone:.2f} ms, {1000 * images / alone:.0f} images/s{_rival(ours, vertices, faces, alone)}"


def _rival(ours: Callable[[Tensor], Tensor], vertices: Tensor, faces: Tensor, alone: float) -> str:
    try:
        from sem3d.rendering.pytorch3d_silhouettes import pytorch3d_silhouettes

        rival = partial(
            pytorch3d_silhouettes,
            faces=faces,
            size=silhouettes.SIZE,
            sigma=silhouettes.SIGMA,
            faces_per_pixel=FACES_PER_PIXEL,
        )
        apart = float((rival(vertices) - ours(vertices)).abs().max())
        theirs = milliseconds(partial(_both_ways, rival, vertices))
    except (ImportError, RuntimeError) as error:  # not there, or built without CUDA
        return f"; PyTorch3D is not measured: {one_line(str(error))}"
    return f"; PyTorch3D with {FACES_PER_PIXEL} faces a pixel {theirs:.2f} ms, {theirs / alone:.1f}x, images {apart:.1g} apart"


def _both_ways(draw: Callable[[Tensor], Tensor], vertices: Tensor) -> None:
    leaf = vertices.detach().requires_grad_()
    torch.autograd.grad(draw(leaf).sum(), leaf)
