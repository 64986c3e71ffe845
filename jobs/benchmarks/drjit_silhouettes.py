"""Soft silhouettes and their gradient as kernels of Dr.Jit, the rival that LLVM compiles for the processor at hand.

The image is that of :func:`sem3d.rendering.soft_silhouettes`. A lane is a face in a view and goes through the pixels of its
bounding box; the gradient is written out, as ours is, and kernels are recorded once (``dr.freeze``). Mitsuba's own silhouettes
would be others: edges are hard and gradients sampled. Faces must have an area and lie before the camera. Importing this raises
``ImportError`` without Dr.Jit (``pip install drjit``) or without LLVM (Debian's ``libllvm15``).
"""

import importlib
import math
from typing import Any

import torch
from torch import Tensor

from sem3d.rendering.fast_silhouettes import LOGIT_REACH

dr = importlib.import_module("drjit")
if not dr.has_backend(dr.JitBackend.LLVM):
    raise ImportError("Dr.Jit finds no LLVM")
llvm = importlib.import_module("drjit.llvm")
dr.set_thread_count(1)


class DrJitSilhouettes:
    """A mesh in several views, held in Dr.Jit's arrays."""

    def __init__(self, vertices: Tensor, faces: Tensor, size: int, sigma: float):
        views, points, _ = vertices.shape
        self.size, self.sigma, self.pixels = size, sigma, views * size * size
        view = torch.arange(views).repeat_interleave(len(faces))
        rows = faces.repeat(views, 1) + points * view[:, None]
        self.mesh = [llvm.Float(vertices[..., axis].flatten().numpy()) for axis in (0, 1)]
        self.mesh += [llvm.UInt32(numbers.int().numpy()) for numbers in (*rows.T, size * size * view)]
        self.ones = dr.opaque(llvm.Float, 1, self.pixels)
        self._draw, self._pull = dr.freeze(self._drawn), dr.freeze(self._pulled)

    def draw(self) -> Any:
        """Return the optical depth of each pixel of all views, and the image, which is ``1 - exp(-depth)``."""
        return _computed(self._draw(self.mesh))

    def pull(self, depth: Any) -> Any:
        """Return the gradient of the image's sum by x and by y of each vertex of all views."""
        return _computed(self._pull(self.mesh, depth, self.ones))

    def image_and_gradient(self) -> tuple[Tensor, Tensor]:
        """Return the image (pixel) and the gradient of its sum (vertex 2), both of all views."""
        depth, image = self.draw()
        return image.torch().cpu(), torch.stack([axis.torch().cpu() for axis in self.pull(depth)], dim=1)

    def _drawn(self, mesh: list) -> Any:
        depth = dr.zeros(llvm.Float, self.pixels)

        def add(pixel: Any, logit: Any, near: Any, *_: Any) -> tuple:
            softplus = _larger(logit, 0) + dr.log(1 + dr.exp(-dr.abs(logit)))
            dr.scatter_add(depth, softplus, pixel, near)
            return ()

        self._through_boxes(mesh, add, ())
        return depth, 1 - dr.exp(-depth)

    def _pulled(self, mesh: list, depth: Any, grad: Any) -> Any:
        by_depth = grad * dr.exp(-depth) * (-2 / self.sigma)
        dr.eval(by_depth)

        def add(pixel: Any, logit: Any, near: Any, offset: tuple, sums: tuple) -> tuple:
            edge, along, rest_x, rest_y = offset
            pull = dr.gather(llvm.Float, by_depth, pixel, near) * dr.sign(logit) / (1 + dr.exp(-logit))
            added = list(sums)
            for number in range(3):
                to_start = dr.select(near & (edge == number), pull * (1 - along), 0)
                to_end = dr.select(near & (edge == number), pull * along, 0)
                for corner, share in ((number, to_start), ((number + 1) % 3, to_end)):
                    added[corner] = added[corner] + share * rest_x
                    added[3 + corner] = added[3 + corner] + share * rest_y
            return tuple(added)

        nothing = tuple(dr.zeros(llvm.Float, dr.width(mesh[-1])) for _ in range(6))
        sums = self._through_boxes(mesh, add, nothing)
        both = [dr.zeros(llvm.Float, dr.width(mesh[0])) for _ in range(2)]
        for number, of_face in enumerate(sums):
            dr.scatter_add(both[number // 3], of_face, mesh[2 + number % 3])
        return both

    def _through_boxes(self, mesh: list, add: Any, sums: tuple) -> tuple:
        """Call ``add`` for each pixel of each face's box: pixel, logit, nearness, offset from the nearest edge, ``sums``."""
        # 1. corners, edges and orientation of each face (lane)
        *axes, first_corner, second_corner, third_corner, first_pixel = mesh
        corners = (first_corner, second_corner, third_corner)
        xs, ys = ([dr.gather(llvm.Float, axis, row) for row in corners] for axis in axes)
        edges = [(xs[n], ys[n], xs[(n + 1) % 3] - xs[n], ys[(n + 1) % 3] - ys[n]) for n in range(3)]
        turn = dr.sign(edges[0][2] * edges[1][3] - edges[0][3] * edges[1][2])
        # 2. columns and rows of its bounding box (lane)
        reach, half = math.sqrt(LOGIT_REACH * self.sigma), self.size / 2

        def pixels_between(low: Any, high: Any) -> tuple:
            first = dr.ceil((low - reach + 1) * half - 0.5)
            last = dr.floor((high + reach + 1) * half - 0.5)
            return llvm.Int32(_larger(first, 0)), llvm.Int32(-_larger(-last, 1 - self.size))

        left, right = pixels_between(-_largest([-place for place in xs]), _largest(xs))
        top, bottom = pixels_between(-_largest(ys), _largest([-place for place in ys]))

        # 3. one pixel a lane at a time, along rows
        def body(column: Any, row: Any, *sums: Any) -> tuple:
            px, py = (llvm.Float(column) + 0.5) / half - 1, 1 - (llvm.Float(row) + 0.5) / half
            square, inside, offset = llvm.Float(dr.inf), llvm.Bool(True), (llvm.UInt32(0), *[llvm.Float(0)] * 3)
            for number, (start_x, start_y, run_x, run_y) in enumerate(edges):
                dx, dy = px - start_x, py - start_y
                inside &= turn * (run_x * dy - run_y * dx) > 0
                along = _larger((dx * run_x + dy * run_y) / (run_x * run_x + run_y * run_y), 0)
                along = dr.select(along < 1, along, 1)
                rest_x, rest_y = dx - along * run_x, dy - along * run_y
                found = rest_x * rest_x + rest_y * rest_y
                nearer = found < square
                square = dr.select(nearer, found, square)
                new = (llvm.UInt32(number), along, rest_x, rest_y)
                offset = tuple(dr.select(nearer, one, other) for one, other in zip(new, offset, strict=True))
            logit = dr.select(inside, square, -square) / self.sigma
            pixel = first_pixel + llvm.UInt32(row * self.size + column)
            added = add(pixel, logit, inside | (logit > -LOGIT_REACH), offset, sums)
            ended = column >= right
            return dr.select(ended, left, column + 1), dr.select(ended, row + 1, row), *added

        state = (left, dr.select(left <= right, top, bottom + 1), *sums)
        return dr.while_loop(state, lambda _, row, *__: row <= bottom, body)[2:]


def _computed(arrays: Any) -> Any:
    dr.eval(arrays)
    dr.sync_thread()
    return arrays


def _larger(one: Any, other: Any) -> Any:
    """Return the larger number; ``dr.maximum`` needs LLVM 17, which Debian 12 lacks."""
    return dr.select(one > other, one, other)


def _largest(numbers: list) -> Any:
    first, second, third = numbers
    return _larger(_larger(first, second), third)
