"""Training pairs of frames without a match, from which a loss learns nothing: counted, weighed, put into words."""

from collections.abc import Mapping

import numpy as np

UNMATCHED = {
    "geo": "pixel that meets a voxel: the geometric loss learns nothing there. Do the scenes' meshes and poses belong "
    "together, and is data.geo_threshold wide enough?",
    "view": "pixel that both frames see: the view loss learns nothing there. Do depth and poses belong together, and is "
    "data.view_threshold wide enough?",
}
"""What a pair has nothing of, by the loss that needs it."""


def count_unmatched(columns: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Count pairs of a batch that could be read, and those of them without a match: of two pixels, of a pixel and a voxel."""
    usable = columns["usable"] > 0
    counts = {"pairs": usable, "view": usable & (columns["view_valid"] == 0)}
    if "geo_valid" in columns:
        counts["geo"] = usable & (columns["geo_valid"] == 0).all(1)
    return {name: float(which.sum()) for name, which in counts.items()}


def weigh_unmatched(counts: Mapping[str, float], limit: float) -> tuple[dict[str, float], str]:
    """Return the share of pairs without a match by the loss that needs it, and a warning where one is over ``limit``."""
    pairs = counts.get("pairs", 0.0)
    shares = {kind: counts[kind] / pairs for kind in UNMATCHED if kind in counts and pairs}
    warnings = [
        f"{counts[kind]:.0f} of {pairs:.0f} training pairs so far ({100 * share:.0f} %) have no {UNMATCHED[kind]}"
        for kind, share in shares.items()
        if share > limit
    ]
    return {f"unmatched_{kind}": share for kind, share in shares.items()}, "; ".join(warnings)
