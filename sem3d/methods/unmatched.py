"""Training pairs of frames without a match, from which a loss learns nothing: counted, weighed, put into words."""

from collections.abc import Mapping

import numpy as np

UNMATCHED = {
    "geo": "pixel that meets a voxel: the geometric loss learns nothing there. Do the scenes' meshes and poses belong "
    "together, and is data.geo_threshold wide enough?",
    "view": "pixel that both frames see: the view loss learns nothing there. Do depth and poses belong together, and is "
    "data.view_threshold wide enough?",
    "match": "voxel of one frame near one of the other: nothing is learnt there. Do depth and poses belong together, and is "
    "data.match_radius wide enough?",
}
"""What a pair has nothing of, by the loss that needs it."""


def count_unmatched(columns: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Count pairs of a batch that could be read, and those of them without a match: of two pixels, of a pixel and a voxel,
    of two voxels, those that the batch has.
    """
    usable = columns["usable"] > 0
    valid = {kind: columns[f"{kind}_valid"] for kind in UNMATCHED if f"{kind}_valid" in columns}
    counts = {kind: usable & (of_pair == 0).reshape(len(usable), -1).all(1) for kind, of_pair in valid.items()}
    counts["pairs"] = usable
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
