"""Naive soft silhouettes in float64: every face at every pixel, straight from SoftRas's formulas; autograd gives gradients."""

import torch
from torch import Tensor


def soft_silhouettes(vertices: Tensor, faces: Tensor, size: int, sigma: float) -> Tensor:
    vertices = vertices.double()
    across = torch.arange(size, dtype=torch.float64) * 2 + 1
    pixel = torch.stack(torch.meshgrid(across / size - 1, 1 - across / size, indexing="xy"), dim=-1)
    images = []
    for mesh in vertices:
        uncovered = torch.ones(size, size, dtype=torch.float64)
        for face in faces.tolist():
            a, b, c = mesh[face][:, :2]
            if abs(cross(b - a, c - a)) <= 1e-8 or mesh[face][:, 2].min() <= 1e-8:
                continue
            square = torch.stack([segment(pixel, *ends) for ends in ((a, b), (b, c), (c, a))]).amin(0)
            sides = torch.stack([cross(y - x, pixel - x) for x, y in ((a, b), (b, c), (c, a))])
            inside = (sides > 0).all(0) | (sides < 0).all(0)
            coverage = torch.sigmoid(torch.where(inside, square, -square) / sigma)
            uncovered = uncovered * (1 - torch.where(coverage > 1e-10, coverage, 0))
        images.append(1 - uncovered)
    return torch.stack(images)


def segment(point: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Squared distance of points to a segment."""
    along = end - start
    position = ((point - start) @ along / (along @ along)).clamp(0, 1)
    return (point - start - position[..., None] * along).square().sum(-1)


def cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
