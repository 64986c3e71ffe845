"""Laplacian and flattening losses in plain loops over float64 numbers."""

import itertools

import numpy as np


def laplacian(vertices: np.ndarray, faces: np.ndarray) -> float:
    near: dict[int, set[int]] = {}
    for a, b in itertools.chain.from_iterable(itertools.permutations(face, 2) for face in faces.tolist()):
        near.setdefault(a, set()).add(b)
    return sum(float(((vertices[v] - vertices[sorted(others)].mean(axis=0)) ** 2).sum()) for v, others in near.items())


def flattening(vertices: np.ndarray, faces: np.ndarray) -> float:
    total = 0.0
    for first, second in itertools.combinations(faces.tolist(), 2):
        shared = sorted(set(first) & set(second))
        if len(shared) != 2:
            continue
        start, end = vertices[shared[0]], vertices[shared[1]]
        direction = (end - start) / np.linalg.norm(end - start)
        sides = []
        for face in (first, second):
            offset = vertices[(set(face) - set(shared)).pop()] - start
            offset = offset - offset @ direction * direction
            sides.append(offset / np.linalg.norm(offset))
        total += float((1 + sides[0] @ sides[1]) ** 2)
    return total
