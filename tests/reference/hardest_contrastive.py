"""Hardest-contrastive loss as loops over numbers."""

import numpy as np


def hardest_contrastive(anchor, positive, point, *, margins=(0.1, 1.4), weight=1.0, candidates=0) -> float:
    """Loss of one item, in float64."""
    anchor, positive = (np.stack([row / np.linalg.norm(row) for row in side]) for side in (anchor, positive))
    near = [max(0.0, float(((a - p) ** 2).sum()) - margins[0]) for a, p in zip(anchor, positive, strict=True)]
    pushes = []
    for queries, keys, numbers in ((anchor, positive, point[:, 1]), (positive, anchor, point[:, 0])):
        lacks = []
        for i, query in enumerate(queries):
            others = [j for j in range(candidates or len(keys)) if numbers[j] != numbers[i]]
            if others:
                hardest = min(float(((query - keys[j]) ** 2).sum()) for j in others)
                lacks.append(max(0.0, margins[1] - (hardest + 1e-7) ** 0.5) ** 2)
        pushes.append(float(np.mean(lacks)) if lacks else 0.0)
    return float(np.mean(near)) + weight * sum(pushes) / 2
