"""Frames that a stride leaves out, found on disk from the record of one that was taken."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.datasets.scans.frames import divided, open_scan
from sem3d.datasets.scans.layouts import COLOR_ENDINGS, FrameRecord, read_matrix
from sem3d.datasets.scans.numbered import numbered
from sem3d.datasets.scans.seven_scenes import FRAME, files_of_frame, frames_of
from sem3d.errors import BadSample

ENDINGS = {"color": COLOR_ENDINGS, "depth": (".png",), "pose": (".txt",)}


def stored_pose(root: Path, record: FrameRecord, number: int) -> Float[np.ndarray, "4 4"] | None:
    """Return the pose of frame ``number`` of the scan of ``record`` as it is stored; None where there is none to be read."""
    file, inside = divided(record.color)
    try:
        if inside:
            scan = open_scan(root / file)
            return scan.pose(number) if 0 <= number < len(scan) else None
        path = stored_file(root, record, "pose", number)
        return read_matrix(path, 4) if path else None
    except BadSample:
        return None


def stored_file(
    root: Path, record: FrameRecord, kind: str, number: int, listed: Callable[..., dict[int, Path]] = numbered
) -> Path | None:
    """Return the file of ``kind`` color, depth or pose of frame ``number`` beside those of ``record``; None where there is none.

    A caller that asks often keeps what :func:`numbered` found, in ``listed``. Raises :class:`BadSample` where two files have that
    number.
    """
    color = root / record.color
    if not FRAME.fullmatch(color.name):
        return listed(color.parents[1] / kind, ENDINGS[kind]).get(number)
    found = files_of_frame(frames_of(color.parent).get(number, []))
    return next((found[name] for ending in ENDINGS[kind] if (name := f"{kind}{ending}") in found), None)
