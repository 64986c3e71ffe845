"""Renders that stand in the files of several splits: what is held out would have been trained on."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sem3d.datasets.objects.npz_stream import npz_checksum
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.splits import SPLITS
from sem3d.errors import UserError

Part = tuple[str, str]
"""Class and split."""


def copied_files(files: dict[Part, tuple[Path, Path]]) -> list[Quarantined]:
    """Return notes on images or voxels that are, once unpacked, those of another file, by the checksums that archives hold.

    Raises :class:`UserError` where images that are trained on are held out too.
    """
    notes = []
    for kind in range(2):
        met: dict[Hashable, Part] = {}
        for part, pair in files.items():
            first = met.setdefault(npz_checksum(pair[kind]), part)
            if first == part:
                continue
            path, other = pair[kind], files[first][kind]
            if kind == 0 and first[0] == part[0] and "train" in (first[1], part[1]):
                raise UserError(
                    f"{path} is a copy of {other}: held-out objects would be those of training; fetch both again"
                )
            notes.append(Quarantined(path.name, part[0], f"a copy of another file: {other.name}"))
    return notes


def fingerprint(views: UInt8[np.ndarray, "view 4 height width"]) -> bytes:
    """Return what objects share that look the same from everywhere; empty for one that no view shows."""
    return hashlib.blake2b(views.tobytes(), digest_size=16).digest() if views[:, 3].any() else b""


def shared_objects(seen: Mapping[Part, Sequence[str | bytes]], what: str = "objects") -> list[Quarantined]:
    """Return notes on splits of which some objects, told apart by what is ``seen``, are in another split of the class too."""
    notes = []
    for (name, split), own in seen.items():
        for other in SPLITS[: SPLITS.index(split)]:
            known = {look for look in seen.get((name, other), ()) if look}
            if count := sum(look in known for look in own):
                also = f"{count} of its {len(own)} are also in {name}_{other}_images.npz"
                notes.append(Quarantined(f"{name}_{split}_images.npz", name, f"{what} of another split: {also}"))
    return notes
