"""A scene's surface as coloured world points: the data set's own mesh, or depth frames fused on a fine grid."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32, Int32, Int64, Shaped, UInt8, UInt16

from sem3d.datasets.checked_files import read_rows, write_rows
from sem3d.datasets.scans.schema import SURFACE_SCHEMA
from sem3d.errors import BadSample, UserError
from sem3d.files import read_regular
from sem3d.geometry.voxels import pack, voxel_indices

PLY_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2"},
    **{"ushort": "<u2", "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4"},
    **{"float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8"},
}
TRIANGLE = np.dtype([("corners", "u1"), ("vertices", "<i4", 3)])
LARGEST_HEADER = 65536
LARGEST_MESH = 4 << 30
LONGEST_COUNT = 12
"""Digits of a number of vertices or faces that are looked at: no file holds as many."""
FRAMES_BETWEEN_MERGES = 8
Thinned = tuple[Int64[np.ndarray, " kept"], Float32[np.ndarray, "kept 3"], UInt8[np.ndarray, "kept 3"]]
"""Key of the voxel, place and colour of points, one a voxel."""


def read_scene_mesh(
    path: str | Path,
) -> tuple[
    Float32[np.ndarray, "vertex 3"],
    UInt8[np.ndarray, "vertex 3"],
    UInt16[np.ndarray, "vertex"] | None,
    Int32[np.ndarray, "face 3"],
]:
    """Return vertices (world, metres), colours, NYU40 labels (None without a ``label`` property) and triangles of ScanNet's
    ``_vh_clean_2.ply`` or ``.labels.ply``: binary little-endian PLY, scalar vertex properties in any order, then triangles.

    Raises :class:`BadSample` with the byte or the count for anything else, such as a file that ends early.
    """
    try:
        content = read_regular(path, LARGEST_MESH)
    except OSError as error:
        raise BadSample(str(path), f"missing file: {error.strerror or error}") from error
    vertex_type, vertex_count, face_count, start = read_ply_header(content, str(path))
    faces_at = start + vertex_count * vertex_type.itemsize
    end = faces_at + face_count * TRIANGLE.itemsize
    if end > len(content):
        raise BadSample(str(path), f"truncated mesh: {end} bytes announced, {len(content)} there")
    vertices = np.frombuffer(content, vertex_type, vertex_count, start)
    faces = np.frombuffer(content, TRIANGLE, face_count, faces_at)
    corners = faces["vertices"]
    if (faces["corners"] != 3).any() or (face_count and not (0 <= corners.min() <= corners.max() < vertex_count)):
        raise BadSample(str(path), "corrupt mesh: faces that are no triangles of its vertices")
    points = np.stack([vertices[axis] for axis in ("x", "y", "z")], axis=1).astype(np.float32)
    if not np.isfinite(points).all():
        raise BadSample(str(path), "corrupt mesh: vertices that are not finite")
    colors = read_colors(np.stack([vertices[band] for band in ("red", "green", "blue")], axis=1), str(path))
    labels = vertices["label"].astype(np.uint16) if "label" in (vertex_type.names or ()) else None
    return points, colors, labels, corners.astype(np.int32)


def read_ply_header(content: bytes, source: str) -> tuple[np.dtype, int, int, int]:
    """Return type of a vertex, numbers of vertices and faces, and the byte where data start."""
    end = content.find(b"end_header\n", 0, LARGEST_HEADER)
    lines = content[: max(end, 0)].decode("ascii", "replace").split("\n")
    if end < 0 or lines[0].strip() != "ply" or "format binary_little_endian 1.0" not in lines:
        raise BadSample(source, "not a binary little-endian PLY file")
    counts: dict[str, int] = {}
    fields: list[tuple[str, str]] = []
    for words in (line.split() for line in lines):
        if words[:1] == ["element"] and len(words) == 3 and words[2].isdecimal():
            if words[1] in counts:
                raise BadSample(source, f"corrupt mesh: element {words[1]} is announced twice")
            counts[words[1]] = int(words[2][:LONGEST_COUNT])
        elif words[:1] == ["property"] and list(counts) == ["vertex"]:
            if len(words) != 3 or words[1] not in PLY_TYPES:
                raise BadSample(source, f"unsupported vertex property: {' '.join(words[1:])}")
            fields.append((words[2], PLY_TYPES[words[1]]))
        elif words[:1] == ["property"] and words[1:4] not in (["list", "uchar", "int"], ["list", "uint8", "int32"]):
            raise BadSample(source, f"unsupported face property: {' '.join(words[1:])}")
    names = [name for name, _ in fields]
    if list(counts) not in (["vertex"], ["vertex", "face"]) or not {"x", "y", "z", "red", "green", "blue"} <= set(
        names
    ):
        raise BadSample(source, f"unsupported mesh: elements {list(counts)}, vertex properties {names}")
    if len(set(names)) != len(names):
        raise BadSample(source, f"corrupt mesh: vertex properties {names}")
    check_vertex_types(dict(fields), source)
    return np.dtype(fields), counts["vertex"], counts.get("face", 0), end + len(b"end_header\n")


def check_vertex_types(types: dict[str, str], source: str) -> None:
    """Raise :class:`BadSample` for colours or labels of a type that would not fit as they are."""
    if len(bands := {types[band] for band in ("red", "green", "blue")}) > 1 or not bands <= {"u1", "<f4", "<f8"}:
        raise BadSample(source, "unsupported mesh: its colours are neither uchar nor float")
    if types.get("label", "u1") not in ("u1", "<u2"):
        raise BadSample(source, "unsupported mesh: its labels are not uchar or ushort")


def read_colors(colors: Shaped[np.ndarray, "point 3"], source: str) -> UInt8[np.ndarray, "point 3"]:
    """Return colours of 8 bits; those that are fractions reach from 0 to 1, as all programs write them."""
    if colors.dtype == np.uint8:
        return colors
    if not ((colors >= 0) & (colors <= 1)).all():
        raise BadSample(source, "corrupt mesh: its colours are fractions outside 0 to 1")
    return np.rint(colors * 255).astype(np.uint8)


class SurfaceFusion:
    """World points thinned to one a voxel as frames come in; the first point seen in a voxel stays, with its colour.

    Memory is that of the surface plus :data:`FRAMES_BETWEEN_MERGES` thinned frames.
    """

    def __init__(self, voxel_size: float):
        self.voxel_size = voxel_size
        self._keys = np.zeros(0, np.int64)
        self._points = np.zeros((0, 3), np.float32)
        self._colors = np.zeros((0, 3), np.uint8)
        self._waiting: list[Thinned] = []

    def thinned(self, points: Float[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]) -> Thinned:
        """Return what :meth:`add` takes of the points of a frame: world frame, metres; raises ValueError for those too far."""
        keys, first = np.unique(pack(voxel_indices(points, self.voxel_size)), return_index=True)
        return keys, points[first].astype(np.float32), colors[first]

    def add(self, thinned: Thinned) -> None:
        """Add the points of a frame, or of a part of one."""
        keys, points, colors = thinned
        if len(self._keys):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            fresh = self._keys[at] != keys
            keys, points, colors = keys[fresh], points[fresh], colors[fresh]
        self._waiting.append((keys, points, colors))
        if len(self._waiting) >= FRAMES_BETWEEN_MERGES:
            self._merge()

    def surface(self) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"]]:
        """Return points and colours, in order of their voxels."""
        self._merge()
        return self._points, self._colors

    def _merge(self) -> None:
        parts = [(self._keys, self._points, self._colors), *self._waiting]
        keys, points, colors = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        self._keys, first = np.unique(keys, return_index=True)
        self._points, self._colors = points[first], colors[first]
        self._waiting = []


def colors_at_depth_pixels(
    color: UInt8[np.ndarray, "color_height color_width 3"],
    depth: Float32[np.ndarray, "height width"],
    intrinsics_color: Float[np.ndarray, "3 3"],
    intrinsics_depth: Float[np.ndarray, "3 3"],
) -> tuple[UInt8[np.ndarray, "point 3"], Int64[np.ndarray, "point 2"]]:
    """Return colour of each depth pixel that has depth and lies in the colour image, and its (row, column) in ``depth``.

    Both cameras share their centre, so a depth pixel's ray meets the colour image wherever its depth is; the nearest colour
    pixel is taken.
    """
    rows, columns = np.nonzero(depth > 0)
    color_from_depth = intrinsics_color @ np.linalg.inv(intrinsics_depth)
    at = color_from_depth @ np.stack([columns, rows, np.ones(len(rows))])
    u, v = (np.floor(at[axis] / at[2] + 0.5).astype(np.int64) for axis in (0, 1))
    inside = (u >= 0) & (u < color.shape[1]) & (v >= 0) & (v < color.shape[0])
    return color[v[inside], u[inside]], np.stack([rows[inside], columns[inside]], axis=1)


def write_surface(path: Path, points: Float32[np.ndarray, "point 3"], colors: UInt8[np.ndarray, "point 3"]) -> str:
    """Write one Parquet file of ``SURFACE_SCHEMA``; return its SHA-256."""
    columns = [*points.T, *colors.T]
    return write_rows(path, pa.table([pa.array(column) for column in columns], schema=SURFACE_SCHEMA))


def read_surface(path: Path, written: str = "") -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"]]:
    """Return world points in metres and colours of a scene's surface, whose file had the SHA-256 ``written`` if that is known.

    Raises :class:`BadSample` if the file cannot be read or is another one.
    """
    try:
        table = read_rows(path, SURFACE_SCHEMA, written)
    except UserError as error:
        raise BadSample(str(path), f"unreadable surface: {error}") from error
    columns = [table[name].to_numpy() for name in SURFACE_SCHEMA.names]
    return np.stack(columns[:3], axis=1), np.stack(columns[3:], axis=1)
