"""The contrastive loss of keypoints by loops over pairs."""

import math


def loss(embedding, meaning, margin: float, negatives: str) -> float:
    """``embedding[model][keypoint]`` is a list of numbers, ``meaning`` -1 where there is no keypoint."""
    rows = [
        (model, meaning[model][place], embedding[model][place])
        for model in range(len(meaning))
        for place in range(len(meaning[model]))
        if meaning[model][place] >= 0
    ]
    near, apart = [], []
    for one in range(len(rows)):
        for other in range(one + 1, len(rows)):
            distance = math.dist(rows[one][2], rows[other][2])
            if rows[one][1] == rows[other][1]:
                near.append(distance**2)
            elif negatives == "batch" or rows[one][0] == rows[other][0]:
                apart.append(distance)
    hardest = sorted(apart)[: len(near)]
    terms = near + [max(0.0, margin - distance) ** 2 for distance in hardest]
    return sum(terms) / len(terms) if terms else 0.0
