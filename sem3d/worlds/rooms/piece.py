"""A piece of furniture in its own frame: z up, the floor at z = 0, the back at +y, the footprint centred on the origin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sem3d.worlds.solids import Solid, corner_normals
from sem3d.worlds.textures import Material


@dataclass(frozen=True)
class Part:
    """One solid of one material; ``label`` only where it differs from the piece's (the sink in a vanity)."""

    solid: Solid
    material: Material
    label: int | None = None


@dataclass(frozen=True)
class Top:
    """A level rectangle on which small things may stand."""

    low: tuple[float, float]
    high: tuple[float, float]
    z: float


@dataclass(frozen=True, eq=False)
class Piece:
    """Corner-wise arrays of one instance. ``identity`` names it; ``label`` is its NYU40 id."""

    kind: str
    label: int
    identity: str
    corners: Float[np.ndarray, "face 3 3"]
    normals: Float[np.ndarray, "face 3 3"]
    uv: Float[np.ndarray, "face 3 2"]
    face_material: Int[np.ndarray, " face"]
    face_label: Int[np.ndarray, " face"]
    materials: tuple[Material, ...]
    tops: tuple[Top, ...] = ()
    credit: str = ""

    @property
    def size(self) -> Float[np.ndarray, "3"]:
        """Width, depth and height in metres."""
        flat = self.corners.reshape(-1, 3)
        return flat.max(axis=0) - flat.min(axis=0)


def assemble(kind: str, label: int, identity: str, parts: Sequence[Part], tops: Sequence[Top] = ()) -> Piece:
    """Joins parts into one piece and moves it so that its footprint is centred and it stands on z = 0."""
    corners, normals, face_material, face_label = [], [], [], []
    materials: list[Material] = []
    for part in parts:
        if part.material not in materials:
            materials.append(part.material)
        faces = part.solid.faces
        corners.append(part.solid.vertices[faces])
        normals.append(corner_normals(part.solid.vertices, faces))
        face_material.append(np.full(len(faces), materials.index(part.material)))
        face_label.append(np.full(len(faces), label if part.label is None else part.label))
    joined = np.concatenate(corners)
    low, high = joined.reshape(-1, 3).min(axis=0), joined.reshape(-1, 3).max(axis=0)
    shift = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, low[2]])
    moved_tops = tuple(
        Top(
            (top.low[0] - shift[0], top.low[1] - shift[1]),
            (top.high[0] - shift[0], top.high[1] - shift[1]),
            top.z - shift[2],
        )
        for top in tops
    )
    return Piece(
        kind=kind,
        label=label,
        identity=identity,
        corners=joined - shift,
        normals=np.concatenate(normals),
        uv=np.zeros((len(joined), 3, 2)),
        face_material=np.concatenate(face_material),
        face_label=np.concatenate(face_label),
        materials=tuple(materials),
        tops=moved_tops,
    )
