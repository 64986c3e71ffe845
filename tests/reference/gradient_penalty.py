"""The penalty of a critic of one hidden layer, its gradient written out item by item."""

import numpy as np


def critic(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """``second . tanh(first x)``."""
    return float(second @ np.tanh(first @ x))


def penalty(real: np.ndarray, fake: np.ndarray, mix: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[float]:
    """(length of the gradient - 1)^2 of each item between real and fake."""
    found = []
    for one, other, share in zip(real, fake, mix, strict=True):
        between = share * one + (1 - share) * other
        slope = first.T @ (second * (1 - np.tanh(first @ between) ** 2))
        found.append((float(np.sqrt((slope**2).sum())) - 1) ** 2)
    return found
