"""The surface of a room as the point set of a reconstruction: evenly spread, coloured, labelled, in binary PLY."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from sem3d.datasets.scans.labelled_ply import PLAIN, labelled_rows, write_ply
from sem3d.worlds.rooms.render import TracedRoom, surface_color

PLASTIC = (0.7548776662466927, 0.5698402909980532)
"""Steps of the R2 low-discrepancy sequence: one over the plastic number and over its square."""


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points in the world frame, metres, with sRGB colour and NYU40 id."""

    position: Float32[np.ndarray, "point 3"]
    color: UInt8[np.ndarray, "point 3"]
    label: UInt8[np.ndarray, " point"]
    instance: UInt16[np.ndarray, " point"]
    """label * 1000 + number within the label, from 1."""


def sample_surface(traced: TracedRoom, spacing: float, seed: tuple[int, ...]) -> SurfacePoints:
    """Sample points by area, one for each ``spacing`` squared on average, more evenly spread than independent draws.

    Only what lies inside the room counts, not the outer sides of its walls.
    """
    surface = traced.room.surface
    corners = surface.corners.astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2.0
    share = np.cumsum(area) / spacing**2
    start = np.random.default_rng(seed).random(3)
    face = np.searchsorted(share, np.arange(int(share[-1])) + start[0], side="right").clip(0, len(area) - 1)
    order = np.arange(len(face))
    first, second = ((start[1 + k] + PLASTIC[k] * order) % 1.0 for k in range(2))
    folded = first + second > 1.0
    first, second = np.where(folded, 1.0 - first, first), np.where(folded, 1.0 - second, second)
    weights = np.stack([1.0 - first - second, first, second], axis=1).astype(np.float32)
    position = np.einsum("pk,pkc->pc", weights, surface.corners[face])
    inside = ((position >= -1e-3) & (position <= np.array(traced.room.size) + 1e-3)).all(axis=1)
    position, weights, face = position[inside], weights[inside], face[inside].astype(np.int32)
    return SurfacePoints(
        position, surface_color(traced, position, face, weights), surface.label[face], surface.instance[face]
    )


def write_points(stem: Path, points: SurfacePoints) -> None:
    """Write ``<stem>.ply`` (position, colour) and ``<stem>.labels.ply`` (with a ushort label), as ScanNet names them."""
    rows = labelled_rows(points.position, points.color, points.label)
    write_ply(Path(f"{stem}.ply"), rows[[name for name, _ in PLAIN]].astype(PLAIN))
    write_ply(Path(f"{stem}.labels.ply"), rows)


def write_instances(stem: Path, points: SurfacePoints) -> None:
    """Write which points are of which object as ScanNet does: ``<stem>_vh_clean_2.0.010000.segs.json``, where each instance is
    one segment, and ``<stem>.aggregation.json``, where each is one group.
    """
    scene = stem.name
    groups = [
        {"id": number, "objectId": number, "segments": [int(one)], "label": f"nyu40 {one // 1000}"}
        for number, one in enumerate(np.unique(points.instance))
    ]
    segments = {"sceneId": scene, "segIndices": points.instance.tolist()}
    Path(f"{stem}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segments))
    Path(f"{stem}.aggregation.json").write_text(json.dumps({"sceneId": f"scannet.{scene}", "segGroups": groups}))
