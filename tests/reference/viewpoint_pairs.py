"""SSR's pair loss and pair similarity in plain loops over float64 numbers."""

import math

import numpy as np


def pairs(viewpoints: list[int], objects: list[int], choice: str) -> tuple[list, list]:
    positive, negative = [], []
    for first in range(len(viewpoints)):
        for second in range(first + 1, len(viewpoints)):
            same, distinct = viewpoints[first] == viewpoints[second], objects[first] != objects[second]
            if same and (choice == "all" or distinct):
                positive.append((first, second))
            if not same and (choice != "distinct" or distinct):
                negative.append((first, second))
    return positive, negative


def pair_loss(logits: np.ndarray, viewpoints: list[int], objects: list[int], choice: str, places: np.ndarray) -> float:
    """``places`` (2, draws) are the random numbers in [0, 1) that pick positives and negatives."""
    total = 0.0
    for kind, found, drawn in zip((1, 0), pairs(viewpoints, objects, choice), places, strict=True):
        if not found:
            continue
        probabilities = [1 / (1 + math.exp(-logits[pair])) for pair in found]
        costs = [-math.log(p) if kind else -math.log(1 - p) for p in probabilities]
        total += sum(costs[int(place * len(costs))] for place in drawn) / len(drawn)
        hardest = min(probabilities) if kind else max(probabilities)
        total += (-math.log(hardest) if kind else -math.log(1 - hardest)) / len(drawn)
    return total


def pair_differences(left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = np.zeros((len(left), len(right)))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            total[i, j] = sum(w * abs(a - b) for w, a, b in zip(weight, one, other, strict=True))
    return total
