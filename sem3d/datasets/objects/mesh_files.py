"""Folders of .obj meshes as lists of objects, and one object as triangles with colours in ShapeNetCore's frame.

Layouts, told apart object by object::

    <synset>/<id>/models/model_normalized.obj   ShapeNetCore v2 (v1: models/ or the object's folder holds one .obj)
    <class>/<name>.obj                          flat
    index.json + <category>/<id>/<file>.obj     Sweet Home 3D, see sem3d.datasets.objects.sweet_home

ShapeNetCore's frame: y up, front at -z. Sweet Home 3D's models have their back at -z and are turned half round.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sem3d.datasets.objects.linear_light import linear_of_srgb
from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.datasets.objects.obj_model import ObjModel, read_model
from sem3d.datasets.objects.obj_text import MOST_FACES
from sem3d.datasets.objects.sweet_home import indexed_models, inside, is_rotation
from sem3d.datasets.quarantine import Quarantined
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries, is_hidden, root_entries
from sem3d.texts import read_regular

LARGEST_FILE = 512 << 20
LONGEST_CLASS = 200
"""Bytes of a class's name, for it begins the names of the files of its renders."""
GREY = 0.4
UNNAMED_LEVEL = 100
"""Grey, 0 to 255, of faces with texture coordinates and no material."""
FLATTEST = 1e-6
SHAPENET_FROM_SWEET_HOME = np.diag([-1.0, 1.0, -1.0])


@dataclass(frozen=True)
class MeshFile:
    """One object: ``category`` is a synset where the class has one, ``path`` is relative to the data root."""

    category: str
    identity: str
    path: str
    rotation: tuple[float, ...] = ()
    """Row-major 3x3 that turns the file into ShapeNetCore's frame; empty: it is there."""
    size: tuple[float, ...] = ()
    """Extents along x, y, z that it is stretched to; empty: its own."""


@dataclass(frozen=True, eq=False)
class ColoredMesh:
    """Triangles in ShapeNetCore's frame, the box centred and its longest side 1; colours are linear RGB in [0, 1]."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    face_colors: Float[np.ndarray, "face 3"]
    open_edges: int
    """Edges with an odd number of faces; a closed mesh has none."""
    notes: tuple[str, ...]
    """What the file asked for and could not have, such as a texture."""


def find_meshes(root: str | Path) -> tuple[list[MeshFile], list[Quarantined]]:
    """Return objects below ``root`` in the order of class and name, and folders that hold none or several.

    Raises :class:`UserError` if there is no such folder or no mesh in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"no data folder {root}: name the folder of the meshes")
    index = root / "index.json"
    items = catalogue_meshes(index) if index.is_file() else folder_meshes(root)
    meshes = [item for item in items if isinstance(item, MeshFile)]
    faults = [item for item in items if isinstance(item, Quarantined)]
    for category in sorted({mesh.category for mesh in meshes}):
        if "/" in category or not category.isprintable() or len(category.encode()) > LONGEST_CLASS:
            raise UserError(
                f"class {category!r} in {root} cannot begin the name of a file of renders: "
                f"name it without / and control characters, in at most {LONGEST_CLASS} bytes"
            )
    if not meshes:
        raise UserError(f"no .obj in {root}: need <synset>/<id>/models/model_normalized.obj or <class>/<name>.obj")
    seen: dict[tuple[str, str], MeshFile] = {}
    for mesh in meshes:
        if seen.setdefault((mesh.category, mesh.identity), mesh) is not mesh:
            faults.append(Quarantined(mesh.path, mesh.category, "the same class and name occur twice"))
    return sorted(seen.values(), key=lambda mesh: (mesh.category, mesh.identity)), faults


def folder_meshes(root: Path) -> list[MeshFile | Quarantined]:
    """Return objects of the layouts without an index."""
    items: list[MeshFile | Quarantined] = []
    for folder in (path for path in root_entries(root) if path.is_dir()):
        category = SYNSETS.get(folder.name, folder.name)
        try:
            items += [item for entry in entries(folder) for item in meshes_of(root, category, entry)]
        except BadSample as error:
            items.append(Quarantined.of(error, category))
    faults = [item for item in items if isinstance(item, Quarantined)]
    return faults + without_aliases(root, [item for item in items if isinstance(item, MeshFile)])


def meshes_of(root: Path, category: str, entry: Path) -> list[MeshFile | Quarantined]:
    """Return the object that an entry of a class's folder is, or why it is none; nothing for other kinds of files."""
    path = entry.relative_to(root).as_posix()
    if os.path.isdir(entry):
        official = entry / "models" / "model_normalized.obj"
        candidates = [official] if os.path.isfile(official) else meshes_inside(entry)
        if len(candidates) != 1:
            return [Quarantined(path, category, f"no single mesh: {len(candidates)} .obj files")]
        return [MeshFile(category, entry.name, candidates[0].relative_to(root).as_posix())]
    return [MeshFile(category, entry.stem, path)] if entry.suffix.lower() == ".obj" else []


def meshes_inside(folder: Path) -> list[Path]:
    """Return the .obj files at any depth of a folder, hidden ones left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() == ".obj" and os.path.isfile(path))
    return sorted(path for path in found if not any(map(is_hidden, path.relative_to(folder).parts)))


def without_aliases(root: Path, meshes: list[MeshFile]) -> list[MeshFile | Quarantined]:
    """Return each file once, under the name that is no link if it has one, and the other names of files as faults."""
    places = {mesh: (root / mesh.path).resolve() for mesh in meshes}
    own = root.resolve()
    met: dict[Path, str] = {}
    items: list[MeshFile | Quarantined] = []
    for mesh in sorted(meshes, key=lambda mesh: (places[mesh] != own / mesh.path, mesh.path)):
        first = met.setdefault(places[mesh], mesh.path)
        reason = f"another name of a mesh: {first}; taken once"
        items.append(mesh if first == mesh.path else Quarantined(mesh.path, mesh.category, reason))
    return items


def catalogue_meshes(index: Path) -> list[MeshFile | Quarantined]:
    """Return objects of a Sweet Home 3D folder, turned and with the catalogue's proportions."""
    items: list[MeshFile | Quarantined] = []
    for _, fields in indexed_models(index):
        try:
            items.append(catalogue_mesh(fields))
        except BadSample as error:
            items.append(Quarantined.of(error, str(fields.get("category"))))
    return items


def catalogue_mesh(fields: dict[str, Any]) -> MeshFile:
    """Return one entry of an index; raises :class:`BadSample` if it is hostile or has no numbers."""
    model, category, identity = (str(fields.get(name) or "") for name in ("model", "category", "id"))
    if not inside(model) or not inside(category) or not identity:
        raise BadSample(model or "entry without a model", "its model leads out of the folder, or it has no id")
    try:
        turned = [float(x) for x in str(fields.get("modelRotation") or "1 0 0 0 1 0 0 0 1").split()]
        size = tuple(float(fields[f"{side}_cm"]) for side in ("width", "height", "depth"))
    except (KeyError, TypeError, ValueError) as error:
        raise BadSample(model, f"its size or modelRotation is no number: {error}") from error
    if not is_rotation(turned) or not all(0 < side < 1e6 for side in size):
        raise BadSample(model, "its modelRotation is no rotation or its size is not positive")
    rotation = SHAPENET_FROM_SWEET_HOME @ np.array(turned).reshape(3, 3)
    return MeshFile(SYNSETS.get(category, category), identity, model, tuple(rotation.ravel().tolist()), size)


def read_mesh(root: Path, mesh: MeshFile) -> ColoredMesh:
    """Return the object, normalised. Raises :class:`BadSample` for what is unreadable, empty, degenerate or huge."""
    place = locate_mesh(root, mesh)
    content = read_regular(place, LARGEST_FILE, mesh.path)
    count = content.count(b"\nf ")
    if count > MOST_FACES:
        raise BadSample(mesh.path, f"huge mesh: {count} faces, at most {MOST_FACES} can be used")
    files = files_beside(root, mesh, place)
    model = read_model(content, files)
    corners = normalised(model.vertices[model.faces], mesh)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    kept = area > 1e-14
    if not kept.any():
        raise BadSample(mesh.path, "degenerate mesh: no face has an area")
    vertices, inverse = np.unique(corners[kept].reshape(-1, 3).round(7), axis=0, return_inverse=True)
    faces = inverse.reshape(-1, 3)
    return ColoredMesh(vertices, faces, face_colors(model, files)[kept], count_open_edges(faces), model.notes)


def normalised(corners: Float[np.ndarray, "face 3 3"], mesh: MeshFile) -> Float[np.ndarray, "face 3 3"]:
    """Return turned and stretched as ``mesh`` says, the box centred and its longest side 1."""
    if mesh.rotation:
        corners = corners @ np.array(mesh.rotation).reshape(3, 3).T
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    extent = high - low
    if np.sort(extent)[1] <= FLATTEST * max(float(extent.max()), 1e-30):
        raise BadSample(mesh.path, "degenerate mesh: it is a line or a point")
    corners = corners - (low + high) / 2.0
    if mesh.size:
        corners = corners * (np.array(mesh.size) / np.maximum(extent, FLATTEST * extent.max()))
    return corners / float(np.ptp(corners, axis=(0, 1)).max())


def face_colors(model: ObjModel, files: ModelFiles) -> Float[np.ndarray, "face 3"]:
    """Return linear RGB of each face: its picture at the middle of the face, else its diffuse colour, else grey."""
    linear = linear_of_srgb()
    plain = [np.full(3, GREY) if material is None else linear[list(material.diffuse)] for material in model.materials]
    colors = np.array(plain, np.float64)[model.face_material]
    unnamed = np.array([material is None for material in model.materials])[model.face_material]
    colors[unnamed & model.textured] = linear[UNNAMED_LEVEL]
    pictures = {material.picture: 0 for material in model.materials if material and material.picture}
    numbers = {"": -1} | {path: number for number, path in enumerate(pictures)}
    number = np.array([numbers[material.picture if material else ""] for material in model.materials])
    picture_of = np.where(model.textured, number[model.face_material], -1)
    order = np.argsort(picture_of, kind="stable")
    ends = np.searchsorted(picture_of[order], np.arange(len(pictures) + 1)).tolist()
    for path, start, end in zip(pictures, ends, ends[1:], strict=False):
        chosen = order[start:end]
        if not len(chosen):
            continue
        pixels = np.asarray(files.picture(path).convert("RGB"))
        middle = model.coordinates[chosen].mean(axis=1) % 1.0
        column = np.clip(middle[:, 0] * pixels.shape[1], 0, pixels.shape[1] - 1).astype(int)
        row = np.clip((1.0 - middle[:, 1]) * pixels.shape[0], 0, pixels.shape[0] - 1).astype(int)
        colors[chosen] = linear[pixels[row, column]]
    return colors


def count_open_edges(faces: Int[np.ndarray, "face 3"]) -> int:
    """Return edges that an odd number of faces share."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    return int((uses % 2 == 1).sum())


def locate_mesh(root: Path, mesh: MeshFile) -> Path:
    """Return the place of a mesh, links resolved; raises :class:`BadSample` if its path leads out of ``root``.

    A link that was found in a folder is the user's choice and may lead anywhere; the paths of an index may not.
    """
    path = PurePosixPath(mesh.path)
    place = (root / path).resolve()
    listed = bool(mesh.rotation)
    if path.is_absolute() or ".." in path.parts or (listed and not place.is_relative_to(root.resolve())):
        raise BadSample(mesh.path, "leads out of the data folder")
    return place


def files_beside(root: Path, mesh: MeshFile, place: Path) -> ModelFiles:
    """Return the files that a mesh may name: those of the data folder, or of the folder that its object is a link to."""
    linked = root.joinpath(*PurePosixPath(mesh.path).parts[:2])
    tops = (top.resolve() for top in (root, linked, place.parent))
    source = next(top for top in tops if top != place and place.is_relative_to(top))
    return ModelFiles(str(source), place.parent.relative_to(source).as_posix(), mesh.path)
