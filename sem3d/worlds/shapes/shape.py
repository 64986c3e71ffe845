"""From a family's solids to one labelled mesh in ShapeNetCore's frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Int

from sem3d.worlds.solids import Point, Solid

SHAPENET_FROM_FAMILY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
Color = tuple[float, float, float]


@dataclass(frozen=True)
class NamedPart:
    """One closed solid, the part it belongs to and its colour (linear RGB in [0, 1])."""

    name: str
    solid: Solid
    color: Color


@dataclass(frozen=True)
class Mark:
    """A keypoint of a sketch: the place on ``solid`` nearest to ``point``."""

    solid: Solid
    point: Point


@dataclass(frozen=True)
class Sketch:
    """What a family draws, in its own frame and units. A keypoint that this instance lacks is not in ``marks``."""

    parts: list[NamedPart]
    marks: dict[str, Mark]


@dataclass(frozen=True)
class Keypoint:
    """A named point on the surface: ``xyz`` = ``barycentric`` weights of the corners of ``face``."""

    name: str
    xyz: Float[np.ndarray, "3"]
    face: int
    barycentric: Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class Shape:
    """A labelled mesh in ShapeNetCore's frame: y up, front at -z, box centred, longest side 1.

    Vertices are shared inside a solid and never between solids, so each solid is closed by itself; solids may overlap.
    """

    kind: str
    identity: str
    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    face_part: Int[np.ndarray, " face"]
    """Number of the face's part in ``part_names``."""
    face_solid: Int[np.ndarray, " face"]
    """Number of the face's solid; several solids may make one part (four legs)."""
    part_names: tuple[str, ...]
    solid_colors: tuple[Color, ...]
    keypoints: tuple[Keypoint, ...]


def assemble(
    kind: str, identity: str, sketch: Sketch, part_names: Sequence[str], keypoint_names: Sequence[str]
) -> Shape:
    """One mesh of the sketch's solids with outward faces; keypoints in the order of ``keypoint_names``."""
    vertices, faces, face_part, face_solid, start = [], [], [], [], 0
    for number, part in enumerate(sketch.parts):
        turned_faces = outward(part.solid).faces
        vertices.append(part.solid.vertices @ SHAPENET_FROM_FAMILY.T)
        faces.append(turned_faces + start)
        face_part.append(np.full(len(turned_faces), part_names.index(part.name)))
        face_solid.append(np.full(len(turned_faces), number))
        start += len(part.solid.vertices)
    joined = np.concatenate(vertices)
    low, high = joined.min(axis=0), joined.max(axis=0)
    center, side = (low + high) / 2.0, float((high - low).max())
    normalised = (joined - center) / side
    all_faces, solid_of_face = np.concatenate(faces), np.concatenate(face_solid)
    unknown = sketch.marks.keys() - set(keypoint_names)
    if unknown:
        raise ValueError(f"{kind} has no keypoints named {sorted(unknown)}")
    solids = [part.solid for part in sketch.parts]
    keypoints = []
    for name in keypoint_names:
        if name in sketch.marks:
            mark = sketch.marks[name]
            number = next(place for place, solid in enumerate(solids) if solid is mark.solid)
            ideal = (SHAPENET_FROM_FAMILY @ np.asarray(mark.point, np.float64) - center) / side
            candidates = np.flatnonzero(solid_of_face == number)
            keypoints.append(nearest_on_surface(name, ideal, normalised, all_faces, candidates))
    return Shape(
        kind=kind,
        identity=identity,
        vertices=normalised,
        faces=all_faces,
        face_part=np.concatenate(face_part),
        face_solid=solid_of_face,
        part_names=tuple(part_names),
        solid_colors=tuple(part.color for part in sketch.parts),
        keypoints=tuple(keypoints),
    )


def nearest_on_surface(
    name: str,
    ideal: Float[np.ndarray, "3"],
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    candidates: Int[np.ndarray, " candidate"],
) -> Keypoint:
    """The point of the ``candidates`` among the faces that is nearest to ``ideal``."""
    triangles = vertices[faces[candidates]]
    closest = trimesh.triangles.closest_point(triangles, np.broadcast_to(ideal, (len(triangles), 3)))
    best = int(np.linalg.norm(closest - ideal, axis=1).argmin())
    weights = trimesh.triangles.points_to_barycentric(triangles[best : best + 1], closest[best : best + 1])[0]
    weights = np.clip(weights, 0.0, 1.0)
    weights /= weights.sum()
    return Keypoint(name, weights @ triangles[best], int(candidates[best]), weights)


def outward(solid: Solid) -> Solid:
    """``solid`` with its faces turned so that its signed volume is positive."""
    corners = solid.vertices[solid.faces] - solid.vertices.mean(axis=0)
    volume = np.linalg.det(corners).sum()
    return solid if volume >= 0.0 else Solid(solid.vertices, solid.faces[:, ::-1])


def mirrored(solid: Solid) -> Solid:
    """``solid`` on the other side of the plane x = 0."""
    return Solid(solid.vertices * np.array([-1.0, 1.0, 1.0]), solid.faces[:, ::-1])


def farthest(solids: Sequence[Solid], direction: Point) -> Mark:
    """The vertex of any of the ``solids`` that lies farthest along ``direction``; the first where several do."""
    reach = [solid.vertices @ np.asarray(direction, np.float64) for solid in solids]
    best = max(range(len(solids)), key=lambda number: round(float(reach[number].max()), 9))
    corner = int((reach[best].round(9)).argmax())
    return Mark(solids[best], solids[best].vertices[corner])
