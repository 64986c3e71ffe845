"""Linear light of 8-bit colours."""

from functools import cache

import numpy as np
from jaxtyping import Float


@cache
def linear_of_srgb() -> Float[np.ndarray, "level"]:
    """Return linear light of each 8-bit level, by the power 2.2."""
    return np.power(np.arange(256, dtype=np.float32) / 255.0, 2.2)
