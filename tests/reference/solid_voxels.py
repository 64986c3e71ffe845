"""Naive solid voxels: each triangle is cut to each voxel by clipping, the outside is walked voxel by voxel; parity of rays."""

import itertools
from collections import deque

import numpy as np


def surface_voxels(corners: np.ndarray, size: int) -> np.ndarray:
    touched = np.zeros((size, size, size), dtype=bool)
    for triangle in corners.astype(np.float64):
        low = np.clip(np.floor(triangle.min(axis=0)).astype(int) - 1, 0, size)
        high = np.clip(np.floor(triangle.max(axis=0)).astype(int) + 2, 0, size)
        for voxel in itertools.product(*(range(a, b) for a, b in zip(low, high, strict=True))):
            touched[voxel] |= len(clip(list(triangle), voxel)) > 0
    return touched


def clip(polygon: list[np.ndarray], voxel: tuple[int, int, int]) -> list[np.ndarray]:
    """What is left of a polygon inside the unit cube at ``voxel`` (Sutherland and Hodgman 1974)."""
    for axis, (side, bound) in itertools.product(range(3), ((1, 0), (-1, 1))):
        kept = []
        for here, there in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            inside_here = side * (here[axis] - voxel[axis] - bound)
            inside_there = side * (there[axis] - voxel[axis] - bound)
            if inside_here >= 0:
                kept.append(here)
            if inside_here * inside_there < 0:
                kept.append(here + (there - here) * inside_here / (inside_here - inside_there))
        polygon = kept
    return polygon


def fill_solid(surface: np.ndarray) -> np.ndarray:
    size = surface.shape[0]
    outside = np.zeros((size + 2,) * 3, dtype=bool)
    full = np.pad(surface, 1)
    waiting = deque([(0, 0, 0)])
    outside[0, 0, 0] = True
    while waiting:
        voxel = waiting.popleft()
        for axis, step in itertools.product(range(3), (-1, 1)):
            near = tuple(index + step * (axis == other) for other, index in enumerate(voxel))
            if all(0 <= index < size + 2 for index in near) and not full[near] and not outside[near]:
                outside[near] = True
                waiting.append(near)
    return ~outside[1:-1, 1:-1, 1:-1]


def centres_inside(corners: np.ndarray, size: int) -> np.ndarray:
    """Voxels whose centre has an odd number of triangles above it, along z: the prism under each triangle is flipped."""
    inside = np.zeros((size, size, size), dtype=bool)
    centre = np.arange(size) + 0.5
    for a, b, c in corners.astype(np.float64):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        for x, y in itertools.product(range(size), range(size)):
            p = centre[[x, y]]
            weight_b = ((p[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (p[1] - a[1])) / area
            weight_c = ((b[0] - a[0]) * (p[1] - a[1]) - (p[0] - a[0]) * (b[1] - a[1])) / area
            if weight_b >= 0 and weight_c >= 0 and weight_b + weight_c < 1:
                inside[x, y] ^= centre < a[2] + weight_b * (b[2] - a[2]) + weight_c * (c[2] - a[2])
    return inside
