"""The sphere that the mesh decoder deforms: an icosahedron with flat faces cut in equal parts, pushed onto the unit sphere."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def icosphere(subdivisions: int = 3) -> tuple[Float[Tensor, "vertex 3"], Int[Tensor, "face 3"]]:
    """Return unit vertices (float64) and faces (int64) of ``10 * 4**subdivisions + 2`` and ``20 * 4**subdivisions``.

    Three subdivisions give 642 and 1,280: SoftRas's ``sphere_642.obj`` (Blender) in another order, without its rounding. A vertex
    of five faces lies at either end of the y axis, another in the half plane z = 0, x > 0, y > 0. Coordinates that are 0 in
    exact arithmetic are exactly 0. Seen from outside in right-handed axes faces run counter-clockwise. Always the same.
    """
    if subdivisions < 0:
        raise ValueError(f"an icosphere cannot have {subdivisions} subdivisions")
    vertices, faces = _icosahedron()
    for _ in range(subdivisions):
        vertices, faces = _subdivided(vertices, faces)
    vertices = torch.where(vertices.abs() < 1e-12, 0, vertices)
    return torch.nn.functional.normalize(vertices, dim=1), faces


def _icosahedron() -> tuple[Float[Tensor, "12 3"], Int[Tensor, "20 3"]]:
    """Return top, upper ring of five, lower ring of five half a step further round, bottom."""
    steps = torch.arange(5, dtype=torch.float64) * math.tau / 5
    rings = []
    for height, angle in ((1.0, steps), (-1.0, steps + math.tau / 10)):
        rings.append(torch.stack([2 * angle.cos(), torch.full_like(angle, height), 2 * angle.sin()], 1) / math.sqrt(5))
    pole = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    faces = []
    for this in range(5):
        upper, next_upper, lower, next_lower = 1 + this, 1 + (this + 1) % 5, 6 + this, 6 + (this + 1) % 5
        faces += [(0, next_upper, upper), (upper, next_upper, lower)]
        faces += [(next_upper, next_lower, lower), (lower, next_lower, 11)]
    return torch.cat([pole, *rings, -pole]), torch.tensor(faces)


def _subdivided(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]
) -> tuple[Float[Tensor, "finer_vertex 3"], Int[Tensor, "4*face 3"]]:
    """Cut each face in four at the middles of its edges; new vertices follow the old, in order of their edges."""
    ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    edges, of_side = ends.unique(dim=0, return_inverse=True)
    middles = vertices[edges].mean(1)
    a, b, c = faces.unbind(1)
    ab, bc, ca = (of_side + len(vertices)).view(3, -1)
    corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return torch.cat([vertices, middles]), torch.cat([torch.stack(corner, 1) for corner in corners])
