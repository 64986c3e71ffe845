"""Images turned in their plane, pixel by pixel in plain loops."""

import math

import numpy as np


def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """One channel turned counter-clockwise about its middle; y is up in here."""
    height, width = image.shape
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            x, y = column - (width - 1) / 2, (height - 1) / 2 - row
            u, v = c * x + s * y + (width - 1) / 2, (height - 1) / 2 - (c * y - s * x)
            for r in (math.floor(v), math.floor(v) + 1):
                for k in (math.floor(u), math.floor(u) + 1):
                    if 0 <= r < height and 0 <= k < width:
                        turned[row, column] += image[r, k] * (1 - abs(v - r)) * (1 - abs(u - k))
    return turned
