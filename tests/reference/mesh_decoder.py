"""The vertex formula of SoftRas's decoder, one coordinate at a time, with the infinite logits of the original."""

import math

import numpy as np


def deform(sphere: np.ndarray, centroid: np.ndarray, bias: np.ndarray, scale: float) -> np.ndarray:
    vertices = np.zeros_like(sphere)
    for v, axis in np.ndindex(*sphere.shape):
        base, centre = 0.5 * sphere[v, axis], math.tanh(scale * centroid[axis])
        size = abs(base)
        logit = math.log(size / (1 - size)) if size else -math.inf
        share = 1 / (1 + math.exp(-(logit + bias[v, axis]))) if size else 0.0
        moved = share * (1 - centre) if base > 0 else -share * (1 + centre)
        vertices[v, axis] = 0.5 * (moved + centre)
    return vertices
