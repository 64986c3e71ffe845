"""A catalogue entry's .obj model as a piece: turned, scaled to its size, with its materials and pictures."""

import io
import posixpath
from dataclasses import replace
from functools import lru_cache

import numpy as np
import trimesh
from jaxtyping import Float
from PIL import Image
from trimesh.visual.material import SimpleMaterial

from sem3d.datasets.objects.linear_light import linear_of_srgb
from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.sweet_home import Entry, read_member
from sem3d.datasets.pictures import IMAGE_ERRORS
from sem3d.errors import BadSample
from sem3d.texts import plain_text
from sem3d.worlds.grammar.finishes import draw_color, shade
from sem3d.worlds.grammar.sketch import Top
from sem3d.worlds.rooms.furniture import FAMILIES
from sem3d.worlds.rooms.piece import Piece
from sem3d.worlds.solids import corner_normals
from sem3d.worlds.textures import Material, Texture

LARGEST_PICTURE = 256
MOST_FACES = 60_000
KIND_LABELS = {"lamp": 39, "table": 7} | {kind: label for kind, (_, label) in FAMILIES.items()}


@lru_cache(maxsize=96)
def load_piece(entry: Entry) -> Piece:
    """Load the entry as a piece (z up, back at +y, metres). Raises :class:`BadSample` naming the entry."""
    where = f"{entry.source}: {entry.identity}"
    content = plain_text(read_member(entry.source, entry.model), entry.model)
    files = ModelFiles(entry.source, posixpath.dirname(entry.model))
    try:
        scene = trimesh.load_scene(io.BytesIO(content), file_type="obj", resolver=files, process=False)
        geometries = [scene.geometry[name] for name in sorted(scene.geometry)]
    except (ValueError, IndexError, KeyError, TypeError, OSError, AttributeError, BadSample) as error:
        raise BadSample(where, files.refused[0] if files.refused else f"unreadable model: {error}") from error
    if files.refused:
        raise BadSample(where, files.refused[0])
    meshes = [mesh for mesh in geometries if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    count = sum(len(mesh.faces) for mesh in meshes)
    if not 0 < count <= MOST_FACES:
        raise BadSample(where, f"model of {count} faces, 1 to {MOST_FACES} can be used")
    rotation = np.array(entry.rotation).reshape(3, 3)
    room_from_model = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ rotation
    everything = np.concatenate([mesh.vertices[np.unique(mesh.faces)] for mesh in meshes]) @ room_from_model.T
    low, high = everything.min(axis=0), everything.max(axis=0)
    if not np.isfinite(everything).all() or (high - low).min() <= 0:
        raise BadSample(where, "flat or not finite")
    scale = np.array(entry.size) / (high - low)
    origin = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, low[2]])
    corners, normals, uv, face_material = [], [], [], []
    for number, mesh in enumerate(meshes):
        vertices = (mesh.vertices @ room_from_model.T - origin) * scale
        first, inverse = trimesh.grouping.unique_rows(vertices, digits=5)
        faces = np.asarray(mesh.faces)
        corners.append(vertices[faces])
        normals.append(corner_normals(vertices[first], inverse[faces]))
        coordinates = getattr(mesh.visual, "uv", None)
        uv.append(np.zeros((len(faces), 3, 2)) if coordinates is None else np.nan_to_num(coordinates)[faces])
        face_material.append(np.full(len(faces), number))
    joined = np.concatenate(corners)
    label = KIND_LABELS[entry.kind]
    try:
        materials = tuple(material_of(mesh) for mesh in meshes)
    except IMAGE_ERRORS as error:
        raise BadSample(where, f"unreadable texture picture: {error}") from error
    return Piece(
        kind=entry.kind,
        label=label,
        identity=entry.identity,
        corners=joined,
        normals=np.concatenate(normals),
        uv=np.concatenate(uv),
        face_material=np.concatenate(face_material),
        face_label=np.full(len(joined), label),
        face_part=np.zeros(len(joined), np.int64),
        materials=materials,
        tops=level_top(joined) if entry.kind in ("table", "desk") else (),
        credit=entry.credit,
    )


def material_of(mesh: trimesh.Trimesh) -> Material:
    """Return colour or picture of a mesh; grey where it has none."""
    found = getattr(mesh.visual, "material", None)
    if not isinstance(found, SimpleMaterial):
        return Material(texture=Texture.PLAIN, color=(0.4, 0.4, 0.4), second=(0.3, 0.3, 0.3), scale=0.3)
    red, green, blue = (float(linear_of_srgb()[level]) for level in found.diffuse[:3])
    shine = 0.4 * float(np.mean(np.asarray(found.specular[:3]) / 255.0))
    if isinstance(found.image, Image.Image) and getattr(mesh.visual, "uv", None) is not None:
        picture = found.image.convert("RGB")
        picture.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
        return Material(
            texture=Texture.IMAGE,
            color=(1.0, 1.0, 1.0),
            second=(1.0, 1.0, 1.0),
            scale=10.0,
            shine=shine,
            image=np.asarray(picture),
        )
    color = (red, green, blue)
    return Material(texture=Texture.PLAIN, color=color, second=shade(color, 0.8), scale=0.3, shine=shine, gloss=30.0)


def level_top(corners: Float[np.ndarray, "face 3 3"]) -> tuple[Top, ...]:
    """Return the table's top, if level faces within 1 cm of its upper edge cover half of its footprint."""
    height = float(corners[..., 2].max())
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2.0
    level = (np.abs(area[:, 2]) > 0.95 * np.linalg.norm(area, axis=1)) & (corners[..., 2].min(axis=1) > height - 0.01)
    half = np.abs(corners[..., :2]).max(axis=(0, 1))
    if np.abs(area[level, 2]).sum() < 0.5 * 4.0 * half.prod():
        return ()
    reach_x, reach_y = (0.6 * half).tolist()
    return (Top((-reach_x, -reach_y), (reach_x, reach_y), height),)


def recolored(piece: Piece, rng: np.random.Generator) -> Piece:
    """Return the same shape with other colours on the surfaces that carry no picture, half of the time."""
    if rng.random() < 0.5:
        return piece
    changed = []
    for material in piece.materials:
        color = draw_color(rng)
        plain = material.texture == Texture.PLAIN and rng.random() < 0.7
        changed.append(replace(material, color=color, second=shade(color, 0.8)) if plain else material)
    return replace(piece, materials=tuple(changed))
