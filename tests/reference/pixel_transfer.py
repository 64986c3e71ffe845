"""Transfer of keypoints by plain loops over places."""

import math


def cosine(one, other) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def nearest(feature, features, weights=None) -> int:
    best, found = -math.inf, -1
    for number, other in enumerate(features):
        score = cosine(feature, other)
        if weights is not None:
            score = max(score, 0.0) * weights[number]
        if score > best:
            best, found = score, number
    return found


def mutual(source, target) -> list[tuple[int, int]]:
    there = [nearest(one, target) for one in source]
    back = [nearest(one, source) for one in target]
    return [(own, other) for own, other in enumerate(there) if back[other] == own]


def weights_about(expected, places, deviation: float) -> list[float]:
    return [math.exp(-((expected[0] - u) ** 2 + (expected[1] - v) ** 2) / (2 * deviation**2)) for u, v in places]
