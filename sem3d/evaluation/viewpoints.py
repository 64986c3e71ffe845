"""Scores of predicted viewpoints: bins that are right, and the angle to the true rotation."""

import math

import numpy as np
from jaxtyping import Float

NEAR = (15.0, 30.0)
"""Degrees; 30 is the threshold of PASCAL3D+'s viewpoint accuracy (Tulsiani and Malik, CVPR 2015)."""


def viewpoint_scores(found: Float[np.ndarray, "view 3"]) -> dict[str, float]:
    """Return shares of views and angles in degrees, of rows that say whether the bins of azimuth and elevation are right (1 or 0)
    and how many degrees the rotation is off; NaN without views.
    """
    names = ("azimuth_accuracy", "elevation_accuracy", "viewpoint_accuracy")
    if not len(found):
        nothing = (
            *names,
            "median_error_degrees",
            "mean_error_degrees",
            *(f"within_{int(one)}_degrees" for one in NEAR),
        )
        return dict.fromkeys(nothing, math.nan)
    azimuth, elevation, error = found.T
    shares = (azimuth, elevation, azimuth * elevation)
    scores = {name: float(share.mean()) for name, share in zip(names, shares, strict=True)}
    scores |= {"median_error_degrees": float(np.median(error)), "mean_error_degrees": float(error.mean())}
    return scores | {f"within_{int(one)}_degrees": float((error <= one).mean()) for one in NEAR}
