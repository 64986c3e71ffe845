"""Point clouds in the PCD format of PCL, as text, as KeypointNet has them: fields x y z and a packed colour."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from sem3d.errors import BadSample
from sem3d.texts import plain_lines, read_regular

LARGEST_PCD = 64 << 20
MOST_POINTS = 1 << 20
DATA = b"DATA"
POINTS = 2048
"""Points of a cloud of KeypointNet."""


def read_pcd(
    path: Path, source: str = ""
) -> tuple[Float64[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"] | None]:
    """Return points, and their colours where the file has some; raises :class:`BadSample` in the name of ``source``, the path
    unless it is given.
    """
    source = source or str(path)
    content = plain_lines(read_regular(path, LARGEST_PCD, source), source)
    header, start = header_of(content, source)
    fields = [name.decode("ascii", "replace") for name in header.get(b"FIELDS", [])]
    if fields[:3] != ["x", "y", "z"]:
        raise BadSample(source, f"no PCD with fields x y z: it has {' '.join(fields)[:60] or 'none'}")
    if header.get(DATA) != [b"ascii"]:
        raise BadSample(source, "no PCD of text: save it with DATA ascii")
    count = header.get(b"POINTS", [b""])[0]
    if not count.isdigit() or not 0 < int(count[:9]) <= MOST_POINTS:
        raise BadSample(source, f"no number of points from 1 to {MOST_POINTS}")
    rows = rows_of(content[start:], len(fields), int(count), source)
    if "rgb" not in fields:
        return rows[:, :3], None
    packed = rows[:, fields.index("rgb")]
    if not ((packed >= 0) & (packed < 1 << 32) & (packed == packed.round())).all():
        raise BadSample(source, "colours are no packed whole numbers")
    bits = packed.astype(np.int64)
    return rows[:, :3], np.stack([(bits >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=1)


def header_of(content: bytes, source: str) -> tuple[dict[bytes, list[bytes]], int]:
    """Return the words of each line of the header, and where it ends; raises :class:`BadSample` without an end."""
    header: dict[bytes, list[bytes]] = {}
    start = 0
    while DATA not in header:
        end = content.find(b"\n", start)
        if end < 0 or start > 1 << 12:
            raise BadSample(source, "no PCD: its header has no DATA")
        words = content[start:end].split()
        if words and not words[0].startswith(b"#"):
            header[words[0]] = words[1:]
        start = end + 1
    return header, start


def rows_of(content: bytes, columns: int, count: int, source: str) -> Float64[np.ndarray, "point column"]:
    """Return the numbers of the points; raises :class:`BadSample` for others than announced."""
    lines = [line for line in map(str.strip, content.decode("latin1").split("\n")) if line]
    try:
        rows = np.loadtxt(lines, np.float64, comments=None, ndmin=2, max_rows=count + 1) if lines else None
    except ValueError as error:
        raise BadSample(source, f"a line that is no point: {error}") from error
    if rows is None or rows.shape != (count, columns):
        found = 0 if rows is None else len(rows)
        raise BadSample(
            source, f"announces {count} points of {columns} numbers and has others: {found} lines are there"
        )
    if not np.isfinite(rows).all() or abs(rows[:, :3]).max() > 1e6:
        raise BadSample(source, "points that are nowhere: a coordinate is not finite, or beyond a million")
    return rows


def write_pcd(path: Path, points: Float64[np.ndarray, "point 3"]) -> None:
    """Write points without colours, as text."""
    count = len(points)
    header = ["VERSION .7", "FIELDS x y z", "SIZE 4 4 4", "TYPE F F F", "COUNT 1 1 1", f"WIDTH {count}", "HEIGHT 1"]
    header += ["VIEWPOINT 0 0 0 1 0 0 0", f"POINTS {count}", "DATA ascii"]
    path.write_text("\n".join([*header, *(f"{x:.6f} {y:.6f} {z:.6f}" for x, y, z in points.tolist())]) + "\n")
