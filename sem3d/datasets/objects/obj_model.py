"""An .obj with the materials that it names: triangles, texture coordinates, colours, and notes on what could not be had."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.objects.mtl_text import MOST_NOTES, ObjMaterial, read_materials
from sem3d.datasets.objects.obj_text import ObjText, read_obj
from sem3d.errors import BadSample

NAMES_SHOWN, LONGEST_SHOWN = 3, 200
"""Names that a note shows, and characters of one."""
MOST_LIBRARIES, MOST_LIBRARY_BYTES = 100, 64 << 20
"""Files of materials of a model, and bytes of them together."""


@dataclass(frozen=True, eq=False)
class ObjModel:
    """Triangles of a model by material, and its materials; what was asked for and could not be had is in ``notes``."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    coordinates: Float[np.ndarray, "face 3 2"]
    """Of each corner in its material's picture, the origin at its lower left."""
    textured: Bool[np.ndarray, " face"]
    """Faces whose corners all have coordinates."""
    face_material: Int[np.ndarray, " face"]
    """Place in ``materials``, ascending."""
    materials: tuple[ObjMaterial | None, ...]
    """None for faces without one. Pictures are paths that :class:`ModelFiles` reads."""
    notes: tuple[str, ...]


def read_model(content: bytes, files: ModelFiles) -> ObjModel:
    """Return a model and its materials; raises :class:`BadSample` in the name of ``files.owner`` for one that cannot be used."""
    text = read_obj(content, files.owner)
    if not len(text.faces):
        raise BadSample(files.owner, "empty mesh: it has no faces")
    notes = list(text.notes)
    paths, lost = libraries_of(text.libraries, files)
    if lost:
        notes.append(f"missing material file: {not_there(lost)}: grey is used")
    known = known_materials(paths, files)
    text = by_name(text) if len(known) > 1 else text
    missing = [name for name in text.materials if name and name not in known]
    if missing and (known or not lost):
        notes.append(f"missing material: {listed(missing)} in no .mtl of it: grey is used")
    materials = with_files([known.get(name) for name in text.materials], files, notes)
    if grey := without_color(text.materials, materials):
        notes.append(f"material without a colour: {listed(grey)}, neither Kd nor a picture: grey is used")
    pictured = np.array([bool(material and material.picture) for material in materials])[text.face_material]
    if bare := int((pictured & ~text.textured).sum()):
        notes.append(f"faces without texture coordinates: {bare} of a textured material, for which Kd is used")
    return ObjModel(
        text.vertices,
        text.faces,
        placed(text, materials),
        text.textured,
        text.face_material,
        materials,
        tuple(dict.fromkeys(notes))[:MOST_NOTES],
    )


def libraries_of(lines: Sequence[str], files: ModelFiles) -> tuple[list[str], list[str]]:
    """Return the paths of the files that ``mtllib`` lines name, each once, and the names of those that are not there.

    A line may hold one name with spaces, or several names. Raises :class:`BadSample` for more names than any model has.
    """
    names: dict[str, str | None] = {}
    for line in dict.fromkeys(filter(None, lines)):
        whole = files.find(line)
        for name in [line] if whole else line.split():
            if name not in names:
                names[name] = whole or files.find(name)
            if len(names) > MOST_LIBRARIES:
                raise BadSample(files.owner, f"huge mesh: it names more than {MOST_LIBRARIES} files of materials")
    paths = list(dict.fromkeys(path for path in names.values() if path))
    return paths, [name for name, path in names.items() if not path]


def known_materials(paths: Sequence[str], files: ModelFiles) -> dict[str, ObjMaterial]:
    """Return the materials of some files, the first of a name."""
    known: dict[str, ObjMaterial] = {}
    weight = 0
    for path in paths:
        content = files.read(path)
        weight += len(content)
        if weight > MOST_LIBRARY_BYTES:
            raise BadSample(
                files.owner, f"huge materials: more than {MOST_LIBRARY_BYTES} bytes in all its files of them"
            )
        try:
            found = read_materials(content, path)
        except BadSample as error:
            raise BadSample(files.owner, f"its file '{path}' cannot be used: {error.reason}") from error
        for name, material in found.items():
            known.setdefault(name, material)
    return known


def by_name(text: ObjText) -> ObjText:
    """Return the same triangles in the order of their materials' names, as renders have always had them."""
    order = sorted(range(len(text.materials)), key=lambda place: text.materials[place] or "geometry")
    rank = np.argsort(order)[text.face_material]
    faces = np.argsort(rank, kind="stable")
    return replace(
        text,
        faces=text.faces[faces],
        coordinates=text.coordinates[faces],
        textured=text.textured[faces],
        face_material=rank[faces],
        materials=tuple(text.materials[place] for place in order),
    )


def with_files(
    materials: Sequence[ObjMaterial | None], files: ModelFiles, notes: list[str]
) -> tuple[ObjMaterial | None, ...]:
    """Return materials with the paths of their pictures, or without those that are not there, which ``notes`` then say.

    A name counts from the model's folder, as most programs write it, or from that of the .mtl.
    """
    paths = {}
    for material in materials:
        if material and material.picture:
            named = (material.picture, posixpath.dirname(material.library))
            paths[named] = paths.get(named) or files.find(named[0]) or files.find(*named) or ""
    if missing := list(dict.fromkeys(name for (name, _), path in paths.items() if not path)):
        textures = "texture" if len(missing) == 1 else "textures"
        notes.append(f"missing texture: its {textures} {not_there(missing)}: Kd is used")
    notes += [note for material in materials if material for note in material.notes]
    return tuple(
        material and replace(material, picture=paths.get((material.picture, posixpath.dirname(material.library)), ""))
        for material in materials
    )


def without_color(names: Sequence[str], materials: Sequence[ObjMaterial | None]) -> list[str]:
    """Return the names of materials of which neither colour nor picture is known."""
    pairs = zip(names, materials, strict=True)
    return [name for name, material in pairs if material and not (material.colored or material.picture)]


def placed(text: ObjText, materials: Sequence[ObjMaterial | None]) -> Float[np.ndarray, "face 3 2"]:
    """Return texture coordinates scaled and moved as the materials say."""
    coordinates = text.coordinates
    for number, material in enumerate(materials):
        if material is not None and (material.scale, material.offset) != ((1.0, 1.0), (0.0, 0.0)):
            of_it = text.face_material == number
            coordinates[of_it] = coordinates[of_it] * material.scale + material.offset
    return coordinates


def not_there(names: Sequence[str]) -> str:
    """Return that these are not there."""
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} not there"


def listed(names: Sequence[str]) -> str:
    """Return the first of some names for a message."""
    cut = [name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..." for name in names[:NAMES_SHOWN]]
    first = [name if name.isprintable() else repr(name) for name in cut]
    return ", ".join(first) + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")
