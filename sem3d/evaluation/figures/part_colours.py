"""Colours of parts by their class, as different from each other as few numbers allow."""

from colorsys import hsv_to_rgb

import numpy as np
from jaxtyping import UInt8

GOLDEN = 0.618033988749895
"""Turn of the hue from a class to the next."""


def part_palette(classes: int) -> UInt8[np.ndarray, "class 3"]:
    """Return a colour a class: white for the background, then hues that a golden turn tells apart, light and dark in turns."""
    colours = [hsv_to_rgb((number * GOLDEN) % 1, 0.75, (0.95, 0.7)[number % 2]) for number in range(classes - 1)]
    return np.round(255 * np.array([(1.0, 1.0, 1.0), *colours])).astype(np.uint8)
