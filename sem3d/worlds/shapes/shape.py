"""From a sketch to one labelled mesh in ShapeNetCore's frame."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from sem3d.worlds.grammar.finishes import Color
from sem3d.worlds.grammar.sketch import Keypoint, Sketch, labelled_mesh

SHAPENET_FROM_SKETCH = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


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
    """Linear RGB in [0, 1]."""
    keypoints: tuple[Keypoint, ...]


def assemble(kind: str, identity: str, sketch: Sketch) -> Shape:
    """Make one mesh of the sketch's solids; a solid's colour is its material's as seen from afar."""
    mesh = labelled_mesh(sketch)
    vertices = mesh.vertices @ SHAPENET_FROM_SKETCH.T
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    center, side = (low + high) / 2.0, float((high - low).max())
    return Shape(
        kind=kind,
        identity=identity,
        vertices=(vertices - center) / side,
        faces=mesh.faces,
        face_part=mesh.face_part,
        face_solid=mesh.face_solid,
        part_names=sketch.vocabulary.parts,
        solid_colors=tuple(part.material.mean_color for part in sketch.parts),
        keypoints=tuple(
            replace(point, xyz=(SHAPENET_FROM_SKETCH @ point.xyz - center) / side) for point in mesh.keypoints
        ),
    )
