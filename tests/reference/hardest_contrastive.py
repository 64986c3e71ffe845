"""Hardest-contrastive loss as loops over numbers."""

import numpy as np


def hardest_contrastive(anchor, positive, point, *, margins=(0.1, 1.4), weight=1.0, candidates=0) -> float:
    """Loss of one item, in float64."""
    anchor, positive = (np.stack([row / np.linalg.norm(row) for row in side]) for side in (anchor, positive))
    near = [max(0.0, float(((a - p) ** 2).sum()) - margins[0]) for a, p in zip(anchor, positive, strict=True)]
    matched = {(int(first), int(second)) for first, second in point}
    pushes = []
    for queries, keys, side in ((anchor, positive, 0), (positive, anchor, 1)):
        lacks = []
        for i, query in enumerate(queries):
            pairs = [(point[i][0], point[j][1]) if side == 0 else (point[j][0], point[i][1]) for j in range(len(keys))]
            others = [j for j in range(candidates or len(keys)) if (int(pairs[j][0]), int(pairs[j][1])) not in matched]
            if others:
                hardest = min(float(((query - keys[j]) ** 2).sum()) for j in others)
                lacks.append(max(0.0, margins[1] - (hardest + 1e-7) ** 0.5) ** 2)
        pushes.append(float(np.mean(lacks)) if lacks else 0.0)
    return float(np.mean(near)) + weight * sum(pushes) / 2
