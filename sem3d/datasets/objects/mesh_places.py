"""The places of meshes: one file under several names, copies of one, and what lies beside it that it may name."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sem3d.datasets.objects.model_files import ModelFiles
from sem3d.datasets.quarantine import Quarantined
from sem3d.errors import BadSample
from sem3d.files import first_of_content
from sem3d.folders import file_states

LARGEST_FILE = 512 << 20
"""Bytes of a mesh."""
DEEPEST = 100
"""Levels of folders in which a mesh and what it names may lie."""


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


def contents_of(root: Path, meshes: Sequence[MeshFile]) -> dict[MeshFile, Hashable]:
    """Return what each mesh that can be found shares with its copies: bytes and proportions, whatever its materials."""
    places: dict[MeshFile, Path] = {}
    for mesh in meshes:
        with suppress(BadSample):
            places[mesh] = locate_mesh(root, mesh)
    content = first_of_content(list(places.values()), LARGEST_FILE)
    return {mesh: (mesh.rotation, mesh.size, content[place]) for mesh, place in places.items()}


def copied_meshes(contents: Mapping[MeshFile, Hashable]) -> dict[MeshFile, MeshFile]:
    """Return the first mesh of the same :func:`contents_of` and class of each that is a copy.

    A copy in another split would be a held-out object that was trained on.
    """
    first: dict[Hashable, MeshFile] = {}
    known = {mesh: first.setdefault((mesh.category, content), mesh) for mesh, content in contents.items()}
    return {mesh: other for mesh, other in known.items() if other is not mesh}


def in_other_classes(contents: Mapping[MeshFile, Hashable]) -> dict[MeshFile, MeshFile]:
    """Return the first mesh of the same :func:`contents_of` of each that is of another class than that."""
    first: dict[Hashable, MeshFile] = {}
    known = {mesh: first.setdefault(content, mesh) for mesh, content in contents.items()}
    return {mesh: other for mesh, other in known.items() if other.category != mesh.category}


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


def states_beside(root: Path, meshes: Sequence[MeshFile], made: Path) -> list[tuple[str, int, int]]:
    """Return the states of all files that meshes may name, without those ``made`` of them, as :func:`file_states` gives them."""
    sources = {str(root.resolve()): 0}
    for mesh in meshes:
        with suppress(BadSample):
            sources[files_beside(root, mesh, locate_mesh(root, mesh)).source] = 0
    return [state for source in sources for state in file_states(Path(source), DEEPEST, made)]
