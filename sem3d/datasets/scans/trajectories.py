"""Poses as rotations are written in text, and lists of times: what several layouts of tracked scans share."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from sem3d.errors import BadSample
from sem3d.texts import lines_of, read_sample_text

LARGEST_LIST = 64 << 20
"""Bytes of a trajectory: three hours at 100 poses a second have 70 MB."""


def read_rows(path: Path, columns: int) -> list[list[str]]:
    """Return the words of each line of a table in text, empty lines and those that begin with # left out.

    Raises :class:`BadSample` for a line of another number of words.
    """
    rows = []
    for number, line in enumerate(lines_of(read_sample_text(path, LARGEST_LIST)), 1):
        words = line.split(maxsplit=columns - 1) if columns == 2 else line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != columns:
            raise BadSample(str(path), f"unreadable line {number}: {len(words)} words, not {columns}")
        rows.append([word.strip() for word in words])
    return rows


def read_numbers(path: Path, columns: int) -> Float[np.ndarray, "row column"]:
    """Return a table of numbers; raises :class:`BadSample` as :func:`read_rows` does, and for a word that is no number."""
    rows = read_rows(path, columns)
    try:
        return np.array([[float(word) for word in row] for row in rows]).reshape(-1, columns)
    except ValueError as error:
        raise BadSample(str(path), f"unreadable numbers: {error}") from error


def nearest_time(times: Float[np.ndarray, " time"], wanted: float, most: float) -> int | None:
    """Return the place of the time nearest to ``wanted`` in ascending ``times``, None where none lies within ``most`` seconds."""
    after = int(np.searchsorted(times, wanted))
    near = [place for place in (after - 1, after) if 0 <= place < len(times)]
    place = min(near, key=lambda one: abs(times[one] - wanted), default=None)
    return None if place is None or not abs(times[place] - wanted) <= most else place


def pose_of_quaternion(
    translation: Float[np.ndarray, "3"], quaternion: Float[np.ndarray, "4"]
) -> Float[np.ndarray, "4 4"]:
    """Return the rigid transform of a translation and a rotation x, y, z, w; nan where that has no length above zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.linalg.norm(quaternion)
        x, y, z, w = quaternion / (length if 0 < length < np.inf else np.nan)
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = translation
    return pose


def pose_of_axis(translation: Float[np.ndarray, "3"], turned: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """Return the rigid transform of a translation and a rotation about ``turned`` by its length, radians (Rodrigues).

    The rotation is nan where that length is not finite.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        angle = np.linalg.norm(turned)
        half = np.sinc(angle / (2 * np.pi)) / 2  # sin(angle / 2) / angle, also at 0
        quaternion = np.append(half * turned, np.cos(angle / 2))
    return pose_of_quaternion(translation, quaternion)
