"""A piece of furniture in its own frame: z up, the floor at z = 0, the back at +y, the footprint centred on the origin."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from sem3d.worlds.grammar.sketch import BODY, Keypoint, Sketch, Top, labelled_mesh
from sem3d.worlds.solids import corner_normals
from sem3d.worlds.textures import Material


@dataclass(frozen=True, eq=False)
class Piece:
    """Corner-wise arrays of one instance, whose faces need not share vertices.

    ``identity`` names it; ``label`` is its NYU40 id. What no grammar drew is of one part and has no keypoints.
    """

    kind: str
    label: int
    identity: str
    corners: Float[np.ndarray, "face 3 3"]
    normals: Float[np.ndarray, "face 3 3"]
    uv: Float[np.ndarray, "face 3 2"]
    face_material: Int[np.ndarray, " face"]
    face_label: Int[np.ndarray, " face"]
    materials: tuple[Material, ...]
    face_part: Int[np.ndarray, " face"]
    """Number of the face's part in ``part_names``."""
    part_names: tuple[str, ...] = (BODY,)
    keypoints: tuple[Keypoint, ...] = ()
    """On the piece's faces, in its own frame."""
    tops: tuple[Top, ...] = ()
    credit: str = ""
    notes: tuple[str, ...] = ()
    """What its file asked for and could not have, such as a texture."""

    @cached_property
    def size(self) -> Float[np.ndarray, "3"]:
        """Return width, depth and height in metres."""
        flat = self.corners.reshape(-1, 3)
        return flat.max(axis=0) - flat.min(axis=0)


def assemble(kind: str, label: int, identity: str, sketch: Sketch) -> Piece:
    """Make one piece of a sketch and move it so that its footprint is centred and it stands on z = 0."""
    mesh = labelled_mesh(sketch)
    materials = tuple(dict.fromkeys(part.material for part in sketch.parts))
    of_solid = np.array([materials.index(part.material) for part in sketch.parts])
    labels = np.array([label if part.label is None else part.label for part in sketch.parts])
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    shift = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, low[2]])
    return Piece(
        kind=kind,
        label=label,
        identity=identity,
        corners=(mesh.vertices - shift)[mesh.faces],
        normals=corner_normals(mesh.vertices, mesh.faces),
        uv=np.zeros((len(mesh.faces), 3, 2)),
        face_material=of_solid[mesh.face_solid],
        face_label=labels[mesh.face_solid],
        materials=materials,
        face_part=mesh.face_part,
        part_names=sketch.vocabulary.parts,
        keypoints=tuple(replace(point, xyz=point.xyz - shift) for point in mesh.keypoints),
        tops=tuple(moved_top(top, shift) for top in sketch.tops),
    )


def moved_top(top: Top, shift: Float[np.ndarray, "3"]) -> Top:
    """Return ``top`` in the frame whose origin is at ``shift``."""
    x, y, z = shift.tolist()
    return Top((top.low[0] - x, top.low[1] - y), (top.high[0] - x, top.high[1] - y), top.z - z)
