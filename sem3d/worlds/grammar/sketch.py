"""Sketches of objects, closed solids with part, material and keypoints, and the labelled mesh that is made of one.

A sketch has a frame of its own: z up, front at -y, so that its left is +x.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import trimesh
from jaxtyping import Float, Int

from sem3d.worlds.solids import Point, Solid
from sem3d.worlds.textures import Material

BODY = "body"
SIDES = (("left", 1), ("right", -1))
ENDS = (("front", -1), ("back", 1))
CORNERS = tuple((f"{end}_{side}", front, sign) for end, front in ENDS for side, sign in SIDES)
"""Name of each corner of a footprint with the signs of its y and its x."""


@dataclass(frozen=True)
class Part:
    """One solid of one material."""

    solid: Solid
    material: Material
    name: str = BODY
    """Part of the object that it belongs to; several solids may make one part (four legs)."""
    label: int | None = None
    """NYU40 id in a room, only where it differs from the object's (the sink in a vanity)."""


@dataclass(frozen=True)
class Mark:
    """A keypoint of a sketch: the place on ``solid`` nearest to ``point``."""

    solid: Solid
    point: Point


Limbs = tuple[list[Solid], dict[str, Mark]]
"""Solids of one part of a sketch, and the keypoints on them."""


@dataclass(frozen=True)
class Top:
    """A level rectangle on which small things may stand."""

    low: tuple[float, float]
    high: tuple[float, float]
    z: float


@dataclass(frozen=True)
class Vocabulary:
    """Names of the parts and keypoints of a family; a name's place in its list is its number."""

    parts: tuple[str, ...] = (BODY,)
    keypoints: tuple[str, ...] = ()


NAMELESS = Vocabulary()
"""For objects of one part without keypoints."""


@dataclass(frozen=True)
class Sketch:
    """Drawing of one object. A keypoint that this instance lacks is not in ``marks``."""

    parts: Sequence[Part]
    marks: dict[str, Mark] = field(default_factory=dict)
    vocabulary: Vocabulary = NAMELESS
    tops: Sequence[Top] = ()


@dataclass(frozen=True)
class Keypoint:
    """A named point on the surface: ``xyz`` = ``barycentric`` weights of the corners of ``face``."""

    name: str
    xyz: Float[np.ndarray, "3"]
    face: int
    barycentric: Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class LabelledMesh:
    """A sketch's solids as one mesh in the sketch's frame, faces outward; vertices are shared inside a solid only."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    face_part: Int[np.ndarray, " face"]
    """Number of the face's part in the vocabulary."""
    face_solid: Int[np.ndarray, " face"]
    keypoints: tuple[Keypoint, ...]
    """In the vocabulary's order."""


def labelled_mesh(sketch: Sketch) -> LabelledMesh:
    """Join the solids of a sketch and put its keypoints on their surface.

    Raises :class:`ValueError` for a part or a keypoint that is not in the sketch's vocabulary.
    """
    names = sketch.vocabulary
    unknown = (sketch.marks.keys() - set(names.keypoints)) | ({part.name for part in sketch.parts} - set(names.parts))
    if unknown:
        raise ValueError(f"neither parts nor keypoints of this family: {sorted(unknown)}")
    solids = [part.solid for part in sketch.parts]
    facing = [outward(solid) for solid in solids]
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids)])
    counts = [len(solid.faces) for solid in solids]
    vertices = np.concatenate([solid.vertices for solid in solids])
    faces = np.concatenate([solid.faces + start for solid, start in zip(facing, starts, strict=False)])
    face_solid = np.repeat(np.arange(len(solids)), counts)
    keypoints = []
    for name in names.keypoints:
        if name in sketch.marks:
            mark = sketch.marks[name]
            number = next(place for place, solid in enumerate(solids) if solid is mark.solid)
            ideal = np.asarray(mark.point, np.float64)
            keypoints.append(nearest_on_surface(name, ideal, vertices, faces, np.flatnonzero(face_solid == number)))
    return LabelledMesh(
        vertices=vertices,
        faces=faces,
        face_part=np.repeat([names.parts.index(part.name) for part in sketch.parts], counts),
        face_solid=face_solid,
        keypoints=tuple(keypoints),
    )


def nearest_on_surface(
    name: str,
    ideal: Float[np.ndarray, "3"],
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    candidates: Int[np.ndarray, " candidate"],
) -> Keypoint:
    """Return the point of the ``candidates`` among the faces that is nearest to ``ideal``."""
    triangles = vertices[faces[candidates]]
    closest = trimesh.triangles.closest_point(triangles, np.broadcast_to(ideal, (len(triangles), 3)))
    best = int(np.linalg.norm(closest - ideal, axis=1).argmin())
    weights = trimesh.triangles.points_to_barycentric(triangles[best : best + 1], closest[best : best + 1])[0]
    weights = np.clip(weights, 0.0, 1.0)
    weights /= weights.sum()
    return Keypoint(name, weights @ triangles[best], int(candidates[best]), weights)


def outward(solid: Solid) -> Solid:
    """Turn the faces of ``solid`` so that its signed volume is positive."""
    corners = solid.vertices[solid.faces] - solid.vertices.mean(axis=0)
    volume = np.linalg.det(corners).sum()
    return solid if volume >= 0.0 else Solid(solid.vertices, solid.faces[:, ::-1])


def mirrored(solid: Solid) -> Solid:
    """Reflect ``solid`` at the plane x = 0."""
    return Solid(solid.vertices * np.array([-1.0, 1.0, 1.0]), solid.faces[:, ::-1])


def farthest(solids: Sequence[Solid], direction: Point) -> Mark:
    """Mark the vertex of any of the ``solids`` that lies farthest along ``direction``; the first where several do."""
    reach = [solid.vertices @ np.asarray(direction, np.float64) for solid in solids]
    best = max(range(len(solids)), key=lambda number: round(float(reach[number].max()), 9))
    corner = int((reach[best].round(9)).argmax())
    return Mark(solids[best], solids[best].vertices[corner])
