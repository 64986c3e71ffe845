"""Soft silhouettes in plain torch: only pixels that a face can reach are looked at, and the gradient is written out.

Along a strip of pixels the distances to the three edge lines of a face, and the positions along them, are linear, so a
strip needs its face's numbers once. Tensors are (edge, step, strip): strips lie innermost because they are many.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.rendering.strips import STRIP, Faces, Strips, chunks_of, cut_strips, pixels_of, visible_faces

LOGIT_REACH = math.log(1e10 - 1)
"""A face is ignored where its coverage would be below 1e-10 (SoftRas ``dist_eps``): outside from d² = 23.03 sigma on."""


class _Offsets(NamedTuple):
    """From the nearest point of each edge to each pixel of each strip, in NDC, along the edge and across it (inwards > 0).

    ``position`` is that of the nearest point on its edge, 0 at the middle and ± half the length at the ends.
    """

    along: Float[Tensor, "3 step strip"]
    across: Float[Tensor, "3 step strip"]
    position: Float[Tensor, "3 step strip"]
    squares: Float[Tensor, "3 step strip"]


def fast_silhouettes(
    vertices: Float[Tensor, "batch vertex 3"], faces: Int[Tensor, "face 3"], *, size: int, sigma: float
) -> Float[Tensor, "batch {size} {size}"]:
    """Compute :func:`sem3d.rendering.soft_silhouettes`. Memory grows with the faces by some 20 numbers each, and no further."""
    vertices = vertices.to(torch.promote_types(vertices.dtype, torch.float32))
    finite = vertices.detach().mul(0).sum((1, 2))
    return _SoftSilhouettes.apply(vertices, faces.long(), size, sigma) + finite[:, None, None]


class _SoftSilhouettes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vertices: Tensor, faces: Tensor, size: int, sigma: float) -> Tensor:
        # 1. optical depth of every pixel (pixel): the softplus of each face's logit, added; coverage is 1 - exp(-depth)
        seen = visible_faces(vertices, faces, size, math.sqrt(LOGIT_REACH * sigma))
        chunks, pixels = chunks_of(seen), len(vertices) * size * size
        depth = vertices.new_zeros(pixels + STRIP)
        for strips in cut_strips(seen, size, chunks):
            logits, near = _logits(_offsets(seen, strips, size), strips, sigma)
            depth.index_add_(0, pixels_of(strips), torch.where(near, F.softplus(logits, threshold=50), 0).flatten())
        # 2. coverage as images (batch size size)
        ctx.save_for_backward(depth, *seen)
        ctx.size, ctx.sigma, ctx.chunks, ctx.shape = size, sigma, chunks, vertices.shape
        return -torch.expm1(-depth[:pixels]).view(len(vertices), size, size)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        depth, *faces = ctx.saved_tensors
        # 1. faces of forward; gradient by optical depth, times the constant -2 / sigma of the logit's own gradient (pixel)
        seen = Faces(*faces)
        pull = torch.exp(-depth) * F.pad(grad.flatten(), (0, STRIP)) * (-2 / ctx.sigma)
        # 2. chunk by chunk: the pull of each pixel on each face (step strip), added to vertices (vertex of all images)
        grad_x, grad_y = pull.new_zeros(2, ctx.shape[0] * ctx.shape[1])
        for strips in cut_strips(seen, ctx.size, ctx.chunks):
            offsets = _offsets(seen, strips, ctx.size)
            logits, near = _logits(offsets, strips, ctx.sigma)
            of_pixel = pull.index_select(0, pixels_of(strips)).view_as(logits)
            of_pixel = torch.where(near, of_pixel * torch.sigmoid(logits) * logits.sign(), 0)
            _pull_edges(seen, strips, offsets, of_pixel, grad_x, grad_y)
        return torch.stack([grad_x, grad_y, torch.zeros_like(grad_x)], dim=-1).view(ctx.shape), None, None, None


def _offsets(seen: Faces, strips: Strips, size: int) -> _Offsets:
    """Return the place of each pixel of each strip relative to the three edges of its face."""
    # 1. the numbers of each strip's face (3 strip)
    x, y, along_x, along_y, half_length = (
        part.index_select(1, strips.face) for part in (seen.x, seen.y, seen.along_x, seen.along_y, seen.half_length)
    )
    turn = seen.turn.index_select(0, strips.face)
    # 2. from each corner to the strip's first pixel (3 strip), and from there to each pixel along the row (step 1)
    dx = (2 * strips.column + 1 - size).to(x.dtype) / size - x
    dy = (size - 1 - 2 * strips.row).to(x.dtype) / size - y
    step = torch.arange(STRIP, device=x.device, dtype=x.dtype)[:, None] * (2 / size)
    # 3. components across and along each edge, linear in the step (3 step strip)
    across = torch.addcmul((turn * (along_x * dy - along_y * dx))[:, None], (-turn * along_y)[:, None], step)
    along = torch.addcmul((along_x * dx + along_y * dy - half_length)[:, None], along_x[:, None], step)
    # 4. the nearest point of the edge, kept between its ends, and what remains along it (3 step strip)
    half_length = half_length[:, None]
    position = torch.minimum(torch.maximum(along, -half_length), half_length)
    along.sub_(position)
    return _Offsets(along, across, position, torch.addcmul(across.square(), along, along))


def _logits(offsets: _Offsets, strips: Strips, sigma: float) -> tuple[Tensor, Tensor]:
    """Return ``± d² / sigma`` of each pixel of each strip, and whether the face reaches it: both (step, strip)."""
    inside = _least(offsets.across) > 0
    logits = _least(offsets.squares).div_(sigma)
    step = torch.arange(STRIP, device=logits.device)[:, None]
    near = (inside | (logits < LOGIT_REACH)) & (step < strips.width)
    return torch.where(inside, logits, -logits), near


def _pull_edges(seen: Faces, strips: Strips, offsets: _Offsets, pull: Tensor, grad_x: Tensor, grad_y: Tensor) -> None:
    """Add ``pull * (pixel - nearest boundary point)`` to the ends of the nearest edge, shared out by the point's position."""
    # 1. the pull goes to the nearest edge only (3 step strip)
    first, second, third = offsets.squares
    to_third = torch.where(third < torch.minimum(first, second), pull, 0)
    to_second = torch.where(second < first, pull - to_third, 0)
    pull = torch.stack([pull - to_third - to_second, to_second, to_third])
    # 2. the numbers of each strip's face (3 strip)
    start, along_x, along_y, half_length = (
        part.index_select(1, strips.face) for part in (seen.vertex, seen.along_x, seen.along_y, seen.half_length)
    )
    turn = seen.turn.index_select(0, strips.face)
    # 3. pull along and across each edge, summed over the strip (3 strip): whole, and weighted by the position on the edge
    along, across = pull * offsets.along, pull * offsets.across
    lever = offsets.position / half_length[:, None]
    both = along.sum(1), across.sum(1) * turn
    difference = along.mul_(lever).sum(1), across.mul_(lever).sum(1) * turn
    # 4. at either end of the edge its share, turned back to x and y and added to the vertex (vertex of all images)
    for end, sign in ((start, -0.5), (start.roll(-1, 0), 0.5)):
        along, across = (whole / 2 + sign * part for whole, part in zip(both, difference, strict=True))
        grad_x.index_add_(0, end.flatten(), (along * along_x - across * along_y).flatten())
        grad_y.index_add_(0, end.flatten(), (along * along_y + across * along_x).flatten())


def _least(of_edges: Float[Tensor, "3 step strip"]) -> Float[Tensor, "step strip"]:
    return torch.minimum(torch.minimum(of_edges[0], of_edges[1]), of_edges[2])
