"""Labelled points as binary PLY, as ScanNet's ``.labels.ply``: position, colour, NYU40 id, and triangles where there are any."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8, UInt16

from sem3d.datasets.scans.surface import TRIANGLE

PLAIN = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("alpha", "u1")]
"""Fields of a point without its label."""


def painted_rows(
    points: Float[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"], more: Sequence[tuple[str, str]] = ()
) -> Shaped[np.ndarray, " point"]:
    """Return points as rows of a PLY, with the fields of :data:`PLAIN`, and ``more``, which are 0."""
    rows = np.zeros(len(points), [*PLAIN, *more])
    for axis, name in enumerate("xyz"):
        rows[name] = points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        rows[name] = colors[:, channel]
    rows["alpha"] = 255
    return rows


def labelled_rows(
    points: Float[np.ndarray, "point 3"],
    colors: UInt8[np.ndarray, "point 3"],
    labels: UInt8[np.ndarray, " point"] | UInt16[np.ndarray, " point"],
) -> Shaped[np.ndarray, " point"]:
    """Return points as rows of a PLY, with the fields of :data:`PLAIN` and ``label``."""
    rows = painted_rows(points, colors, [("label", "<u2")])
    rows["label"] = labels
    return rows


def write_ply(path: Path, rows: Shaped[np.ndarray, " point"], faces: Int[np.ndarray, "face 3"] | None = None) -> None:
    """Write rows of points and their triangles."""
    triangles = np.zeros(0 if faces is None else len(faces), TRIANGLE)
    if faces is not None:
        triangles["corners"], triangles["vertices"] = 3, faces
    path.write_bytes(ply_header(rows, len(triangles)) + rows.tobytes() + triangles.tobytes())


def ply_header(rows: Shaped[np.ndarray, " point"], faces: int) -> bytes:
    """Return the header of a binary little-endian PLY of vertices and so many triangles."""
    names = {"<f4": "float", "|u1": "uchar", "<u2": "ushort"}
    properties = [f"property {names[kind[0].str]} {name}" for name, kind in (rows.dtype.fields or {}).items()]
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment made by sem3d",
        f"element vertex {len(rows)}",
        *properties,
        f"element face {faces}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    return ("\n".join(lines) + "\n").encode()
