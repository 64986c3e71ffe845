"""Labels of bins and angles between viewpoints, number by number in float64."""

import math

import numpy as np


def soft_labels(angle: float, count: int, circular: bool) -> list[float]:
    """The share of an angle that each bin has: a triangle of the width of two bins about its centre."""
    width = (2 if circular else 1) * math.pi / count
    shares = []
    for number in range(count):
        centre = number * width if circular else (number + 0.5) * width
        if circular:
            apart = abs((angle - centre + math.pi) % (2 * math.pi) - math.pi)
        else:
            apart = abs(min(max(angle, width / 2), math.pi - width / 2) - centre)
        shares.append(max(0.0, 1 - apart / width))
    return shares


def divergence(labels: list[float], logits: list[float]) -> float:
    """Kullback-Leibler divergence of the softmax of ``logits`` from ``labels``."""
    total = sum(math.exp(value) for value in logits)
    return sum(
        share * (math.log(share) - math.log(math.exp(value) / total))
        for share, value in zip(labels, logits, strict=True)
        if share > 0
    )


def rotation(azimuth: float, polar: float) -> np.ndarray:
    """Rows right, down and ahead of a camera without roll, by products of vectors."""
    away = np.array([math.sin(polar) * math.sin(azimuth), math.cos(polar), math.sin(polar) * math.cos(azimuth)])
    right = np.cross(-away, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(-away, right), -away])


def turn_between(first: np.ndarray, second: np.ndarray) -> float:
    """The angle of the rotation that leads from one to the other."""
    return math.acos(max(-1.0, min(1.0, (np.trace(first @ second.T) - 1) / 2)))
