"""A catalogue entry's .obj model as a piece: turned, scaled to its size, with its materials and pictures."""

import posixpath
from dataclasses import replace
from functools import lru_cache

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8

from sem3d.datasets.objects.linear_light import linear_of_srgb
from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.mtl_text import ObjMaterial
from sem3d.datasets.objects.obj_model import ObjModel, read_model
from sem3d.datasets.objects.sweet_home import Entry
from sem3d.datasets.objects.textures import UNNAMED_LEVEL, empty_texels
from sem3d.errors import BadSample
from sem3d.worlds.grammar.finishes import draw_color, shade
from sem3d.worlds.grammar.sketch import Top
from sem3d.worlds.rooms.furniture import FAMILIES
from sem3d.worlds.rooms.piece import Piece
from sem3d.worlds.solids import corner_normals
from sem3d.worlds.textures import Material, Texture

LARGEST_PICTURE = 256
MOST_FACES = 60_000
MOST_MATERIALS = 4000
KIND_LABELS = {"lamp": 39, "table": 7} | {kind: label for kind, (_, label) in FAMILIES.items()}


@lru_cache(maxsize=96)
def load_piece(entry: Entry) -> Piece:
    """Load the entry as a piece (z up, back at +y, metres). Raises :class:`BadSample` naming the entry."""
    where = f"{entry.source}: {entry.identity}"
    files = ModelFiles(entry.source, posixpath.dirname(entry.model), where)
    model = read_model(files.read(entry.model), files)
    if len(model.faces) > MOST_FACES or len(model.materials) > MOST_MATERIALS:
        most = f"{MOST_FACES} and {MOST_MATERIALS}"
        raise BadSample(
            where, f"model of {len(model.faces)} faces and {len(model.materials)} materials, at most {most}"
        )
    rotation = np.array(entry.rotation).reshape(3, 3)
    room_from_model = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ rotation
    vertices = stretched(model, room_from_model, np.array(entry.size), where)
    normals = [smooth_normals(vertices, model.faces[part]) for part in parts_of(model)]
    corners = vertices[model.faces]
    label = KIND_LABELS[entry.kind]
    materials, notes = materials_of(model, files)
    return Piece(
        kind=entry.kind,
        label=label,
        identity=entry.identity,
        corners=corners,
        normals=np.concatenate(normals),
        uv=model.coordinates,
        face_material=model.face_material,
        face_label=np.full(len(corners), label),
        face_part=np.zeros(len(corners), np.int64),
        materials=materials,
        tops=level_top(corners) if entry.kind in ("table", "desk") else (),
        credit=entry.credit,
        notes=(*model.notes, *notes),
    )


def stretched(
    model: ObjModel, room_from_model: Float[np.ndarray, "3 3"], size: Float[np.ndarray, "3"], where: str
) -> Float[np.ndarray, "vertex 3"]:
    """Return turned vertices, scaled to a box of ``size`` that stands on the origin.

    Raises :class:`BadSample` where no scale does that.
    """
    used = np.unique(model.faces)
    with np.errstate(all="ignore"):
        everything = model.vertices[used] @ room_from_model.T
        low, high = everything.min(axis=0), everything.max(axis=0)
        if (high - low).min() <= 0:
            raise BadSample(where, "flat")
        scale = size / (high - low)
        origin = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, low[2]])
        found = (model.vertices @ room_from_model.T - origin) * scale
    if not np.isfinite(found[used]).all():
        spans = " x ".join(f"{side:.3g}" for side in high - low)
        raise BadSample(where, f"its vertices span {spans}: no scale fits that")
    return found


def parts_of(model: ObjModel) -> list[slice]:
    """Return where the faces of each material stand."""
    ends = np.searchsorted(model.face_material, np.arange(len(model.materials)), side="right").tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def smooth_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> Float[np.ndarray, "face 3 3"]:
    """Return normals of the corners of one material's faces, smooth over corners at one place to 1e-5."""
    used, corners = np.unique(faces, return_inverse=True)
    first, inverse = trimesh.grouping.unique_rows(vertices[used], digits=5)
    return corner_normals(vertices[used][first], inverse[corners.reshape(faces.shape)])


def materials_of(model: ObjModel, files: ModelFiles) -> tuple[tuple[Material, ...], tuple[str, ...]]:
    """Return colour or picture of each material, grey where it has none, and notes on pictures."""
    notes = []
    pictures: dict[str, UInt8[np.ndarray, "height width 3"]] = {}
    materials = []
    for material, part in zip(model.materials, parts_of(model), strict=True):
        shine = 0.4 * float(np.mean(np.asarray((material or ObjMaterial()).specular) / 255.0))
        if material is None and model.textured[part].all():
            materials.append(pictured(np.full((1, 1, 3), UNNAMED_LEVEL, np.uint8), shine))
            continue
        if material is None:
            grey = Material(texture=Texture.PLAIN, color=(0.4, 0.4, 0.4), second=(0.3, 0.3, 0.3), scale=0.3)
            materials.append(grey)
            continue
        if material.picture and model.textured[part].all():
            if material.picture not in pictures:
                picture = files.picture(material.picture)
                if empty_texels(picture).any():
                    notes.append(f"transparent texture: {material.picture}, which is seen where it shows nothing too")
                picture = picture.convert("RGB")
                picture.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
                pictures[material.picture] = np.asarray(picture)
            materials.append(pictured(pictures[material.picture], shine))
            continue
        red, green, blue = (float(linear_of_srgb()[level]) for level in material.diffuse)
        color = (red, green, blue)
        second = shade(color, 0.8)
        materials.append(
            Material(texture=Texture.PLAIN, color=color, second=second, scale=0.3, shine=shine, gloss=30.0)
        )
    return tuple(materials), tuple(notes)


def pictured(image: UInt8[np.ndarray, "height width 3"], shine: float) -> Material:
    """Return a material that shows a picture."""
    white = (1.0, 1.0, 1.0)
    return Material(texture=Texture.IMAGE, color=white, second=white, scale=10.0, shine=shine, image=image)


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
