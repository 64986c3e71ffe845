"""Data sets of pairs of photographs by name, recognised by their layout."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from sem3d.datasets.photos.keypoint_images import KeypointPair
from sem3d.datasets.photos.pf_pascal import is_pf_pascal, pf_pascal_pairs
from sem3d.datasets.photos.pf_willow import is_pf_willow, pf_willow_pairs
from sem3d.datasets.photos.pix3d import is_pix3d, pix3d_pairs
from sem3d.datasets.photos.spair import is_spair, spair_pairs
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit
from sem3d.errors import BadSample, UserError

Split = Literal["train", "val", "test"]
LAYOUTS: dict[str, tuple[Callable[[Path], bool], Callable[[Path, str], Iterator[KeypointPair | BadSample]]]] = {
    "spair": (is_spair, spair_pairs),
    "pf_pascal": (is_pf_pascal, pf_pascal_pairs),
    "pix3d": (is_pix3d, pix3d_pairs),
    "pf_willow": (is_pf_willow, pf_willow_pairs),
}
"""By name: how to recognise it, and its pairs."""


def find_pairs(root: Path, split: Split, limit: float) -> tuple[str, list[KeypointPair], QuarantineReport]:
    """Return the name of the layout of ``root``, the pairs of a split, of which PF-WILLOW and Pix3D have one, and what cannot be
    used.

    Raises :class:`UserError` for a folder of no known layout, and where more than ``limit`` of it cannot be used.
    """
    try:
        name = next((name for name, (recognised, _) in LAYOUTS.items() if recognised(root)), None)
    except BadSample as fault:
        raise UserError(f"{fault}: let this user read it") from fault
    if name is None:
        raise UserError(
            f"no pairs of photographs in {root}: name the folder of PF-WILLOW (groups of .png and .mat), PF-PASCAL "
            "(test_pairs.csv), SPair-71k (PairAnnotation) or Pix3D (pix3d.json)"
        )
    pairs, report = [], QuarantineReport()
    try:
        for found in LAYOUTS[name][1](root, split):
            if isinstance(found, BadSample):
                report.items.append(Quarantined.of(found))
            else:
                pairs.append(found)
    except BadSample as fault:
        raise UserError(str(fault)) from fault
    check_limit(report, len(report) + len(pairs), limit, None)
    if not pairs:
        raise UserError(f"no {split} pairs of {name} in {root}")
    return name, pairs, report
