"""ScanNet's turn about the vertical, and shift, of a scan to the walls of its room: ``axisAlignment`` of ``<scene>.txt``.

VoteNet's ``scannet/load_scannet_data.py`` moves the vertices of a scene by it before it takes boxes around objects.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from sem3d.datasets.scans.frames import locate
from sem3d.errors import BadSample
from sem3d.texts import lines_of, read_sample_text

FIELD = "axisAlignment"
UNALIGNED = "no axis alignment"
"""First words of a note on a scene whose boxes lie along the axes of the scan."""
TOLERANCE = 1e-3
"""Largest difference of an entry from that of a turn about z; ScanNet writes six digits."""


def read_alignment(root: Path, locator: str) -> Float64[np.ndarray, "4 4"] | None:
    """Return the matrix from the axes of the scan to those of the room, metres; None where the file has no such line.

    Of several lines the first counts. Raises :class:`BadSample` where it is no turn about z with a shift.
    """
    for line in lines_of(read_sample_text(locate(root, locator))):
        name, _, values = line.partition("=")
        if name.strip() == FIELD:
            return alignment_of(values.split(), locator)
    return None


def alignment_of(words: list[str], locator: str) -> Float64[np.ndarray, "4 4"]:
    """Return the matrix whose rows the words are; raises :class:`BadSample` where it is no turn about z with a shift."""
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise BadSample(locator, f"unreadable {FIELD}: {error}") from error
    if len(values) != 16 or not np.isfinite(values).all():
        raise BadSample(locator, f"unreadable {FIELD}: it must be 16 finite numbers, {len(values)} are there")
    matrix = values.reshape(4, 4)
    cos, sin = matrix[0, 0], matrix[1, 0]
    turn = np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turn[:3, 3] = matrix[:3, 3]
    apart = max(float(np.abs(matrix - turn).max()), abs(float(np.hypot(cos, sin)) - 1))
    if apart > TOLERANCE:
        raise BadSample(
            locator, f"{FIELD} is no turn about z: it is {apart:.2g} from one; take the file as ScanNet has it"
        )
    return matrix
