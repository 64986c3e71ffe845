"""Laplacian and flattening losses of SoftRas (``losses.py``), exact on any triangle mesh.

``neighbours`` and ``hinges`` are read from the faces once and kept with the template.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Reduction = Literal["sum", "mean"]


def neighbours(faces: Int[Tensor, "face 3"]) -> Int[Tensor, "edge 2"]:
    """Return every edge of the mesh once, ends in ascending order; edges of a vertex with itself are left out."""
    ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    return ends[ends[:, 0] != ends[:, 1]].unique(dim=0)


def hinges(faces: Int[Tensor, "face 3"]) -> Int[Tensor, "hinge 4"]:
    """Return every pair of faces that share an edge, as (edge start, edge end, opposite vertex, opposite vertex).

    An interior edge gives one, the boundary none, and an edge of n > 2 faces one for each of its n (n - 1) / 2 pairs. Faces
    that name a vertex twice are left out. The released code takes the edges between the first and second and the second
    and third vertex of the faces, which on its spheres is every edge but not on other meshes.
    """
    proper = (faces != faces.roll(1, 1)).all(1)
    edges = torch.cat([faces[proper][:, order] for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1])])
    ends = edges[:, :2].sort(1).values
    unique, edge = ends.unique(dim=0, return_inverse=True)
    edge, order = edge.sort(stable=True)
    opposite = edges[order, 2]
    found = []
    most = int(edge.bincount().max()) if len(edge) else 0
    for apart in range(1, most):
        same = edge[apart:] == edge[:-apart]
        found.append(
            torch.cat([unique[edge[apart:][same]], opposite[:-apart][same, None], opposite[apart:][same, None]], 1)
        )
    return torch.cat(found) if found else faces.new_zeros((0, 4))


def laplacian_loss(
    vertices: Float[Tensor, "batch vertex 3"], edges: Int[Tensor, "edge 2"], over_vertices: Reduction = "sum"
) -> Float[Tensor, ""]:
    """Return the squared distance of each vertex to the mean of its :func:`neighbours`, averaged over the batch.

    ``"sum"`` over vertices is the released loss, weight 0.005; ``"mean"`` lets a weight serve templates of other sizes. A
    vertex without neighbours costs nothing.
    """
    start, end = edges.unbind(1)
    total = torch.zeros_like(vertices).index_add(1, start, vertices[:, end]).index_add(1, end, vertices[:, start])
    once = vertices.new_ones(edges.numel())
    degree = vertices.new_zeros(vertices.shape[1]).index_add(0, edges.flatten(), once)[:, None]
    offset = torch.where(degree > 0, vertices - total / degree.clamp(min=1), 0)
    return _reduced(offset.square().sum(-1), over_vertices)


def flattening_loss(
    vertices: Float[Tensor, "batch vertex 3"], hinges: Int[Tensor, "hinge 4"], over_hinges: Reduction = "sum"
) -> Float[Tensor, ""]:
    """Return ``(1 + cos)²`` of the angle between the two faces of each of the :func:`hinges`: 0 where flat, 4 where folded.

    The cosine is that of the two perpendiculars from the edge to the opposite vertices. ``"sum"`` over hinges is the
    released loss, weight 0.0005, short of the 1e-6 it adds to each denominator (issue #83: no formula in the paper);
    ``"mean"`` as in :func:`laplacian_loss`. A face without area has no angle and costs nothing.
    """
    start, end, left, right = (vertices[:, corner] for corner in hinges.unbind(1))
    edge = end - start
    square = edge.square().sum(-1, keepdim=True)
    edge = edge / torch.where(square > 0, square, 1).sqrt()
    left, right = (side - (side * edge).sum(-1, keepdim=True) * edge for side in (left - start, right - start))
    squares = left.square().sum(-1) * right.square().sum(-1)
    flat_enough = squares > torch.finfo(squares.dtype).tiny
    cosine = (left * right).sum(-1) / torch.where(flat_enough, squares, 1).sqrt()
    return _reduced(torch.where(flat_enough, (1 + cosine).square(), 0), over_hinges)


def _reduced(cost: Float[Tensor, "batch item"], reduction: Reduction) -> Float[Tensor, ""]:
    items = cost.shape[1] if reduction == "mean" else 1
    return cost.sum() / max(len(cost) * items, 1)
