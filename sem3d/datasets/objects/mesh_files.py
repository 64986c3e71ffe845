"""Folders of .obj meshes as lists of objects, and one object as triangles with colours in ShapeNetCore's frame.

Layouts, told apart object by object::

    <synset>/<id>/models/model_normalized.obj   ShapeNetCore v2 (v1: models/ or the object's folder holds one .obj)
    <class>/<name>.obj                          flat
    index.json + <category>/<id>/<file>.obj     Sweet Home 3D, see sem3d.datasets.objects.sweet_home

ShapeNetCore's frame: y up, front at -z. Sweet Home 3D's models have their back at -z and are turned half round.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sem3d.datasets.objects.mesh_places import LARGEST_FILE, MeshFile, files_beside, locate_mesh, without_aliases
from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.datasets.objects.obj_model import read_model
from sem3d.datasets.objects.obj_text import MOST_FACES
from sem3d.datasets.objects.sweet_home import indexed_models, inside, is_rotation
from sem3d.datasets.objects.textures import face_colors
from sem3d.datasets.quarantine import Quarantined
from sem3d.errors import BadSample, UserError
from sem3d.folders import entries, root_entries
from sem3d.texts import read_regular

LONGEST_CLASS = 200
"""Bytes of a class's name, for it begins the names of the files of its renders."""
FLATTEST = 1e-6
OTHER_MESHES = {".ply", ".off", ".stl", ".glb", ".gltf", ".dae", ".fbx", ".3ds"}
SHAPENET_FROM_SWEET_HOME = np.diag([-1.0, 1.0, -1.0])


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
        found = f" ({faults[0].source}: {faults[0].reason})" if faults else ""
        need = "<synset>/<id>/models/model_normalized.obj or <class>/<name>.obj"
        raise UserError(f"no .obj in a class's folder of {root}{found}: need {need}")
    seen: dict[tuple[str, str], MeshFile] = {}
    for mesh in meshes:
        if seen.setdefault((mesh.category, mesh.identity), mesh) is not mesh:
            faults.append(Quarantined(mesh.path, mesh.category, "the same class and name occur twice"))
    return sorted(seen.values(), key=lambda mesh: (mesh.category, mesh.identity)), faults


def folder_meshes(root: Path) -> list[MeshFile | Quarantined]:
    """Return objects of the layouts without an index."""
    items: list[MeshFile | Quarantined] = []
    for folder in root_entries(root):
        category = SYNSETS.get(folder.name, folder.name)
        try:
            if is_folder(folder):
                items += [item for entry in entries(folder) for item in meshes_of(root, category, entry)]
            elif is_mesh(folder):
                items.append(Quarantined(folder.name, "", "lies in no folder of a class: move it into one"))
        except BadSample as error:
            items.append(Quarantined.of(error, category))
    faults = [item for item in items if isinstance(item, Quarantined)]
    return faults + without_aliases(root, [item for item in items if isinstance(item, MeshFile)])


def meshes_of(root: Path, category: str, entry: Path) -> list[MeshFile | Quarantined]:
    """Return the object that an entry of a class's folder is, or why it is none; nothing for other kinds of files."""
    path = entry.relative_to(root).as_posix()
    try:
        if not is_folder(entry):
            if entry.suffix.lower() in OTHER_MESHES and not os.path.lexists(entry.with_suffix(".obj")):
                return [Quarantined(path, category, "a mesh of a kind that is not read: save it as .obj")]
            return [MeshFile(category, entry.stem, path)] if is_mesh(entry) else []
        official = entry / "models" / "model_normalized.obj"
        candidates = [official] if os.path.isfile(official) else meshes_inside(entry)
    except BadSample as error:
        return [Quarantined.of(error, category)]
    if len(candidates) != 1:
        return [Quarantined(path, category, f"no single mesh: {len(candidates)} .obj files")]
    return [MeshFile(category, entry.name, candidates[0].relative_to(root).as_posix())]


def meshes_inside(folder: Path) -> list[Path]:
    """Return the .obj files at any depth of a folder, hidden ones left out; raises :class:`BadSample` where one of its folders
    may not be looked into.
    """
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for path in entries(waiting.pop()):
            if not os.path.islink(path) and is_folder(path):
                waiting.append(path)
            elif is_mesh(path) and os.path.isfile(path):
                found.append(path)
    return sorted(found)


def is_folder(path: Path) -> bool:
    """Return whether this is a folder, also by a link; raises :class:`BadSample` where that cannot be known."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise BadSample(str(path), f"cannot be looked at: {error.strerror}") from error


def is_mesh(path: Path) -> bool:
    """Return whether a file is named as a mesh that can be read."""
    return path.suffix.lower() == ".obj"


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
    colors, notes = face_colors(model, files)
    return ColoredMesh(vertices, faces, colors[kept], count_open_edges(faces), (*model.notes, *notes))


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


def count_open_edges(faces: Int[np.ndarray, "face 3"]) -> int:
    """Return edges that an odd number of faces share."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    return int((uses % 2 == 1).sum())
