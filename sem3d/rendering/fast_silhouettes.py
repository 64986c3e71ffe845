"""Soft silhouettes in plain torch: only pixels that a face can reach are looked at, and the gradient is written out.

The dilated bounding box of each face is cut into strips of ``STRIP`` pixels of one row. Along a strip the distances to
the three edge lines, and the positions along them, are linear, so a strip needs twelve numbers and no gather a pixel.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

LOGIT_REACH = math.log(1e10 - 1)
"""A face is ignored where its coverage would be below 1e-10 (SoftRas ``dist_eps``): outside from d² = 23.03 sigma on."""
SMALLEST_DEPTH = 1e-8
SMALLEST_DOUBLE_AREA = 1e-8
STRIP = 8
STRIPS_AT_A_TIME = {"cpu": 1 << 13}
MOST_STRIPS_AT_A_TIME = 1 << 20
"""Bounds the memory at some 500 MB on a device with much of it; on a CPU a chunk should rather fit the cache."""


class _Faces(NamedTuple):
    """Faces that may show, three corners first; ``along`` is the unit vector to the next corner."""

    vertex: Int[Tensor, "3 face"]
    image: Int[Tensor, " face"]
    x: Float[Tensor, "3 face"]
    y: Float[Tensor, "3 face"]
    along_x: Float[Tensor, "3 face"]
    along_y: Float[Tensor, "3 face"]
    half_length: Float[Tensor, "3 face"]
    turn: Float[Tensor, " face"]
    column: Int[Tensor, " face"]
    columns: Int[Tensor, " face"]
    row: Int[Tensor, " face"]
    rows: Int[Tensor, " face"]


class _Strips(NamedTuple):
    """Up to ``STRIP`` neighbouring pixels of one row, for one face; ``pixel`` counts through all images."""

    face: Int[Tensor, " strip"]
    row: Int[Tensor, " strip"]
    column: Int[Tensor, " strip"]
    width: Int[Tensor, " strip"]
    pixel: Int[Tensor, " strip"]


def fast_silhouettes(
    vertices: Float[Tensor, "batch vertex 3"], faces: Int[Tensor, "face 3"], *, size: int, sigma: float
) -> Float[Tensor, "batch {size} {size}"]:
    """See :func:`sem3d.rendering.soft_silhouettes`. Memory does not grow with the number of faces beyond some 20 numbers a face.

    Gradients of pixels that are 1 to the last bit are left out.
    """
    vertices = vertices.to(torch.promote_types(vertices.dtype, torch.float32))
    finite = vertices.detach().mul(0).sum((1, 2))
    return _SoftSilhouettes.apply(vertices, faces.long(), size, sigma) + finite[:, None, None]


class _SoftSilhouettes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vertices: Tensor, faces: Tensor, size: int, sigma: float) -> Tensor:
        seen = _visible_faces(vertices, faces, size, math.sqrt(LOGIT_REACH * sigma))
        depth = vertices.new_zeros(len(vertices) * size * size)
        for strips in _strips(seen, size):
            logits, near, _ = _logits(seen, strips, size, sigma)
            pair = near.flatten().nonzero()[:, 0]
            depth.index_add_(0, strips.pixel[pair // STRIP] + pair % STRIP, -F.logsigmoid(-logits.flatten()[pair]))
        ctx.save_for_backward(vertices, faces, depth)
        ctx.size, ctx.sigma = size, sigma
        return -torch.expm1(-depth).view(len(vertices), size, size)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        vertices, faces, depth = ctx.saved_tensors
        seen = _visible_faces(vertices, faces, ctx.size, math.sqrt(LOGIT_REACH * ctx.sigma))
        clear = torch.exp(-depth)
        weight = torch.where(clear > torch.finfo(clear.dtype).eps / 2, clear * grad.flatten(), 0)
        grad_x, grad_y = weight.new_zeros(2, vertices[..., 0].numel())
        for strips in _strips(seen, ctx.size, weight != 0):
            logits, near, squares = _logits(seen, strips, ctx.size, ctx.sigma)
            pair = near.flatten().nonzero()[:, 0]
            pull = weight[strips.pixel[pair // STRIP] + pair % STRIP]
            felt = pull.nonzero()[:, 0]
            pair, pull = pair[felt], pull[felt]
            logits = logits.flatten()[pair]
            pull = pull * torch.sigmoid(logits) * torch.sign(logits) * (-2 / ctx.sigma)
            _pull_edges(seen, strips, pair, squares.flatten(1)[:, pair], pull, ctx.size, (grad_x, grad_y))
        return torch.stack([grad_x, grad_y, torch.zeros_like(grad_x)], dim=-1).view_as(vertices), None, None, None


def _visible_faces(vertices: Tensor, faces: Tensor, size: int, reach: float) -> _Faces:
    """Faces in front of the camera that have area and come within ``reach`` (NDC) of a pixel centre."""
    batch, count = vertices.shape[:2]
    vertex = (faces.T[:, None] + torch.arange(batch, device=faces.device)[:, None] * count).flatten(1)
    x, y, z = (axis.reshape(-1)[vertex] for axis in vertices.unbind(-1))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    column, column_end = _span((x.amin(0) - reach + 1) * size, (x.amax(0) + reach + 1) * size, size)
    row, row_end = _span((1 - y.amax(0) - reach) * size, (1 - y.amin(0) + reach) * size, size)
    shows = (z.amin(0) > SMALLEST_DEPTH) & (area.abs() > SMALLEST_DOUBLE_AREA) & (column_end > column) & (row_end > row)
    kept = shows.nonzero()[:, 0]
    vertex, x, y = vertex[:, kept], x[:, kept], y[:, kept]
    along_x, along_y = x.roll(-1, 0) - x, y.roll(-1, 0) - y
    length = torch.hypot(along_x, along_y)
    return _Faces(
        vertex=vertex,
        image=kept // max(len(faces), 1),
        x=x,
        y=y,
        along_x=along_x / length,
        along_y=along_y / length,
        half_length=length / 2,
        turn=area[kept].sign(),
        column=column[kept],
        columns=(column_end - column)[kept],
        row=row[kept],
        rows=(row_end - row)[kept],
    )


def _span(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First pixel, and the one behind the last, whose centre ``2 i + 1`` lies in [low, high]."""
    first, last = ((low - 1) / 2).ceil().clamp(0, size), ((high - 1) / 2).floor().clamp(-1, size - 1)
    return first.nan_to_num(0).long(), last.nan_to_num(-1).long() + 1


def _strips(seen: _Faces, size: int, wanted: Bool[Tensor, " pixel"] | None = None) -> Iterator[_Strips]:
    """All strips in chunks of bounded size; with ``wanted``, only those that hold a wanted pixel."""
    pieces = (seen.columns + STRIP - 1) // STRIP
    end = (pieces * seen.rows).cumsum(0)
    if not len(end):
        return
    begin = end - pieces * seen.rows
    before = None if wanted is None else F.pad(wanted.cumsum(0), (1, 0))
    limit = STRIPS_AT_A_TIME.get(end.device.type, MOST_STRIPS_AT_A_TIME)
    total = int(end[-1])
    cuts = torch.searchsorted(end, torch.arange(limit, total, limit, device=end.device))
    cuts = F.pad(F.pad(cuts, (1, 0)), (0, 1), value=len(end))
    sizes = F.pad(end, (1, 0))[cuts].diff().tolist()
    cuts = cuts.tolist()
    for first, last, strips in zip(cuts[:-1], cuts[1:], sizes, strict=True):
        index = torch.arange(first, last, device=end.device)
        face = index.repeat_interleave((pieces * seen.rows)[first:last], output_size=strips)
        rank = torch.arange(strips, device=end.device) - (begin[face] - begin[first])
        row = seen.row[face] + rank // pieces[face]
        offset = rank % pieces[face] * STRIP
        column = seen.column[face] + offset
        chunk = _Strips(
            face, row, column, (seen.columns[face] - offset).clamp(max=STRIP), (seen.image[face] * size + row) * size + column
        )
        if before is not None:
            kept = before[chunk.pixel + chunk.width] > before[chunk.pixel]
            chunk = _Strips(*(part[kept] for part in chunk))
        yield chunk


def _logits(seen: _Faces, strips: _Strips, size: int, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Per pixel of a strip: ``± d² / sigma``, whether the face reaches it, and the squared distances to the three edges."""
    dx = _centre(strips.column, size, seen.x) - seen.x[:, strips.face]
    dy = -_centre(strips.row, size, seen.x) - seen.y[:, strips.face]
    along_x, along_y, turn = seen.along_x[:, strips.face], seen.along_y[:, strips.face], seen.turn[strips.face]
    half_length = seen.half_length[:, strips.face]
    step = torch.arange(STRIP, device=dx.device, dtype=dx.dtype)
    across = torch.addcmul((turn * (along_x * dy - along_y * dx))[..., None], (turn * along_y)[..., None], step * (-2 / size))
    beyond = torch.addcmul((along_x * dx + along_y * dy - half_length)[..., None], along_x[..., None], step * (2 / size))
    beyond.abs_().sub_(half_length[..., None]).clamp_(min=0)
    inside = torch.minimum(torch.minimum(across[0], across[1]), across[2]) > 0
    squares = across.square_().addcmul_(beyond, beyond)
    logits = torch.minimum(torch.minimum(squares[0], squares[1]), squares[2]).div_(sigma)
    near = (inside | (logits < LOGIT_REACH)) & (step < strips.width[:, None])
    return torch.where(inside, logits, -logits), near, squares


def _centre(index: Tensor, size: int, like: Tensor) -> Tensor:
    """NDC of a pixel's centre along x; along y it is the negative."""
    return (2 * index + 1 - size).to(like.dtype) / size


def _pull_edges(
    seen: _Faces, strips: _Strips, pair: Tensor, squares: Tensor, pull: Tensor, size: int, grads: tuple[Tensor, Tensor]
) -> None:
    """Adds ``pull * (pixel - nearest boundary point)`` to the two ends of the nearest edge, shared out by its position."""
    strip, step = pair // STRIP, pair % STRIP
    nearest = torch.where(squares[1] < squares[0], 1, 0)
    nearest = torch.where(squares[2] < torch.minimum(squares[0], squares[1]), 2, nearest)
    edge = nearest * seen.image.numel() + strips.face[strip]
    along_x, along_y, length = (part.flatten()[edge] for part in (seen.along_x, seen.along_y, 2 * seen.half_length))
    dx = _centre(strips.column[strip] + step, size, seen.x) - seen.x.flatten()[edge]
    dy = -_centre(strips.row[strip], size, seen.x) - seen.y.flatten()[edge]
    position = torch.minimum((along_x * dx + along_y * dy).clamp(min=0), length)
    share = position / length * pull
    start, end = seen.vertex.flatten()[edge], seen.vertex.roll(-1, 0).flatten()[edge]
    for grad, offset in zip(grads, (dx - position * along_x, dy - position * along_y), strict=True):
        grad.index_add_(0, start, (pull - share) * offset)
        grad.index_add_(0, end, share * offset)
