"""PointInfoNCE as loops over numbers."""

import math

import numpy as np
from jaxtyping import Float


def info_nce(
    anchor: Float[np.ndarray, "match dim"], positive: Float[np.ndarray, "match dim"], temperature: float, form: str
) -> float:
    """Loss of one item, in float64."""
    anchor, positive = anchor.astype(np.float64), positive.astype(np.float64)
    if form != "paper":
        anchor = np.stack([row / np.linalg.norm(row) for row in anchor])
        positive = np.stack([row / np.linalg.norm(row) for row in positive])
    forward = [surprise(a, positive, own, temperature) for own, a in enumerate(anchor)]
    if form == "paper":
        return sum(forward)
    backward = [surprise(p, anchor, own, temperature) for own, p in enumerate(positive)]
    both = [(one + other) / 2 for one, other in zip(forward, backward, strict=True)]
    return float(np.mean(both if form == "released" else forward))


def surprise(query, candidates, own, temperature):
    """-log of the softmax probability of candidate ``own``."""
    scores = [math.exp(sum(q * c for q, c in zip(query, row, strict=True)) / temperature) for row in candidates]
    return -math.log(scores[own] / sum(scores))
