"""Pixels that each face of a mesh can reach, cut into strips of ``STRIP`` pixels of one row.

Strips keep the work per face proportional to its dilated bounding box, in tensors without ragged ends.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

SMALLEST_DEPTH = 1e-8
SMALLEST_DOUBLE_AREA = 1e-8
STRIP = 8
STRIPS_AT_A_TIME = {"cpu": 1 << 13}
MOST_STRIPS_AT_A_TIME = 1 << 19
"""Bounds the memory to some 500 MB on a device with much of it; on a CPU a chunk should rather fit the cache."""


class Faces(NamedTuple):
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


class Strips(NamedTuple):
    """Up to ``STRIP`` neighbouring pixels of one row, for one face; ``pixel`` counts through all images."""

    face: Int[Tensor, " strip"]
    row: Int[Tensor, " strip"]
    column: Int[Tensor, " strip"]
    width: Int[Tensor, " strip"]
    pixel: Int[Tensor, " strip"]


def visible_faces(
    vertices: Float[Tensor, "batch vertex 3"], faces: Int[Tensor, "face 3"], size: int, reach: float
) -> Faces:
    """Return faces of all images that lie in front of the camera, have area and come within ``reach`` (NDC) of a pixel centre."""
    batch, count = vertices.shape[:2]
    # 1. corners of the faces of all images (3 face), and twice the signed area (face)
    vertex = (faces.T[:, None] + torch.arange(batch, device=faces.device)[:, None] * count).flatten(1)
    x, y, z = (axis.reshape(-1)[vertex] for axis in vertices.unbind(-1))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    # 2. columns and rows that each face can reach (face)
    column, column_end = _span((x.amin(0) - reach + 1) * size, (x.amax(0) + reach + 1) * size, size)
    row, row_end = _span((1 - y.amax(0) - reach) * size, (1 - y.amin(0) + reach) * size, size)
    # 3. faces that show (kept)
    shows = (z.amin(0) > SMALLEST_DEPTH) & (area.abs() > SMALLEST_DOUBLE_AREA) & (column_end > column) & (row_end > row)
    kept = shows.nonzero()[:, 0]
    vertex, x, y = vertex[:, kept], x[:, kept], y[:, kept]
    # 4. edges from each corner to the next (3 face)
    along_x, along_y = x.roll(-1, 0) - x, y.roll(-1, 0) - y
    length = torch.hypot(along_x, along_y)
    return Faces(
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
    """Return the first pixel, and the one behind the last, whose centre ``2 i + 1`` lies in [low, high]."""
    first, last = ((low - 1) / 2).ceil().clamp(0, size), ((high - 1) / 2).floor().clamp(-1, size - 1)
    return first.nan_to_num(0).long(), last.nan_to_num(-1).long() + 1


class Chunk(NamedTuple):
    """A run of faces, and of the strips of all faces those of the run, both from the first to before the last."""

    first: int
    last: int
    low: int
    high: int


def chunks_of(seen: Faces) -> list[Chunk]:
    """Return runs of faces whose strips are few enough for one go; a GPU is waited for once, twice where there are more."""
    # 1. the number of strips until the end of each face (face)
    end = (_pieces(seen) * seen.rows).cumsum(0)
    if not len(end):
        return []
    total, limit = int(end[-1]), STRIPS_AT_A_TIME.get(end.device.type, MOST_STRIPS_AT_A_TIME)
    if total <= limit:
        return [Chunk(0, len(end), 0, total)]
    # 2. cuts between faces, about `limit` strips apart (cut), and the number of strips before each (cut)
    cuts = torch.searchsorted(end, torch.arange(0, total, limit, device=end.device)[1:])
    cuts = F.pad(F.pad(cuts, (1, 0)), (0, 1), value=len(end))
    faces, strips = torch.stack([cuts, F.pad(end, (1, 0))[cuts]]).tolist()
    return [Chunk(*run, *part) for run, part in zip(pairwise(faces), pairwise(strips), strict=True)]


def _pieces(seen: Faces) -> Int[Tensor, " face"]:
    """Return strips in a row of each face."""
    return (seen.columns + STRIP - 1) // STRIP


def cut_strips(seen: Faces, size: int, chunks: list[Chunk]) -> Iterator[Strips]:
    """Yield all strips, chunk by chunk."""
    # 1. strips a row of each face, all of it, and the number of strips before it (face)
    pieces = _pieces(seen)
    count = pieces * seen.rows
    begin = count.cumsum(0) - count
    for first, last, low, high in chunks:
        # 2. each face once a strip (strip), and the number of the strip within its face (strip)
        index = torch.arange(first, last, device=count.device)
        face = index.repeat_interleave(count[first:last], output_size=high - low)
        rank = torch.arange(low, high, device=count.device) - begin.index_select(0, face)
        # 3. that number as row and first column, and how much of the face's width is left (strip)
        across = pieces.index_select(0, face)
        down = rank // across
        offset = (rank - down * across) * STRIP
        row = seen.row.index_select(0, face) + down
        column = seen.column.index_select(0, face) + offset
        width = seen.columns.index_select(0, face) - offset
        yield Strips(face, row, column, width, (seen.image.index_select(0, face) * size + row) * size + column)


def pixels_of(strips: Strips) -> Int[Tensor, " pixel"]:
    """Return the index of each pixel of every strip; beyond a strip's width it may name others, up to ``STRIP`` past the last."""
    return (torch.arange(STRIP, device=strips.pixel.device)[:, None] + strips.pixel).flatten()
