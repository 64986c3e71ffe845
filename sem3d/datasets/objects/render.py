"""A folder of meshes as NMR's own files, by a Ray Data job: one task an object, then one .npz a class and split.

::

    <class>_{train,val,test}_images.npz    arr_0: uint8 (N, 24, 4, 64, 64)
    <class>_{train,val,test}_voxels.npz    arr_0: bool (N, 32, 32, 32), axes as in the release
    <class>_{train,val,test}_objects.txt   one name a line, in the order of the arrays
    quarantine.json                        meshes left out, and notes on those that are used: open, without their texture
    renders.txt                            digests: of the meshes and settings, and of all files that the meshes may name

Objects are in ShapeNetCore's frame (y up, front at -z), so that view 0 sees the back and view 12 the front
(:func:`sem3d.geometry.object_views.mirrored`). The files appear all at once; a second call goes on where the first stopped.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from sem3d.config import digest
from sem3d.datasets.objects.mesh_files import ColoredMesh, find_meshes, read_mesh
from sem3d.datasets.objects.mesh_places import MeshFile, contents_of, copied_meshes, states_beside
from sem3d.datasets.objects.mesh_splits import RendersConfig, notes_on_copies, split_meshes
from sem3d.datasets.objects.nmr import IMAGE_SHAPE, VOXEL_SHAPE
from sem3d.datasets.objects.npz_stream import DAMAGE, write_npz
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, faults_of
from sem3d.datasets.scans.splits import SPLITS
from sem3d.datasets.tasks import in_tasks
from sem3d.errors import BadSample, UserError
from sem3d.files import whole_folder, write_text, writes_in
from sem3d.folders import named, root_entries
from sem3d.geometry.object_views import mirrored
from sem3d.geometry.solid_voxels import solid_voxels, to_dataset_axes
from sem3d.texts import lines_of, read_text

FORMAT = 1
STAMP = "renders.txt"
Draw = Callable[
    [Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"], Float[np.ndarray, "face 3"]],
    UInt8[np.ndarray, "24 4 64 64"],
]
"""Vertices in the object frame, faces and their colours to images; jobs pass in the renderer."""


@dataclass(frozen=True)
class RendersSummary:
    """Result of :func:`write_renders`, made or found."""

    out: Path
    objects: dict[str, dict[str, int]]
    """By class and split."""
    report: QuarantineReport
    reused: bool


def check_meshes(root: str | Path) -> tuple[int, QuarantineReport]:
    """Read every mesh and write nothing: how many there are, and what is wrong with which. Errors as find_meshes."""
    meshes, faults = find_meshes(root)
    report = QuarantineReport(list(faults), notes_on_copies(contents_of(Path(root), meshes)))
    for mesh in meshes:
        try:
            with faults_of(mesh.path):
                colored = read_mesh(Path(root), mesh)
        except BadSample as error:
            report.items.append(Quarantined.of(error, mesh.category))
        else:
            report.notes += [Quarantined(mesh.path, mesh.category, note) for note in notes_on(colored)]
    return len(meshes) + len(faults), report


def write_renders(root: str | Path, out: str | Path, config: RendersConfig, draw: Draw) -> RendersSummary:
    """Render and voxelise the meshes below ``root`` into ``out``, which all Ray workers must see, or find them there.

    Raises :class:`UserError` as :func:`find_meshes` does, for other content in ``out``, or for too many unusable meshes.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    meshes, faults = find_meshes(root)
    contents = contents_of(root, meshes)
    copies = copied_meshes(contents)
    given = [(*asdict(mesh).values(), *size_and_time(root / mesh.path)) for mesh in meshes]
    key = digest([FORMAT, asdict(config), given, *sorted((mesh.path, first.path) for mesh, first in copies.items())])
    refused = out.with_name(f"{out.name}.quarantine.json")
    states = states_beside(root, meshes, out)
    if out.exists():
        return found(out, key, states)
    with whole_folder(out, out.with_name(f".{out.name}.building-{digest([key, states])}")) as building:
        parts = building / "parts"
        parts.mkdir(exist_ok=True)
        rows = [{"number": number, "mesh": json.dumps(asdict(mesh))} for number, mesh in enumerate(meshes)]
        report = QuarantineReport(list(faults), notes_on_copies(contents))
        usable = []
        for number, row in enumerate(in_tasks(lambda row: render_row(root, parts, row, draw), rows)):
            mesh = meshes[number]
            if row["fault"]:
                report.items.append(Quarantined(mesh.path, mesh.category, row["fault"]))
                continue
            usable.append((number, mesh))
            report.notes += [Quarantined(mesh.path, mesh.category, note) for note in row["note"].splitlines()]
        check_limit(report, len(meshes) + len(faults), config.quarantine_limit, refused)
        counts = join_parts(building, parts, usable, config, copies)
        report.write(building / "quarantine.json")
        (building / STAMP).write_text(f"{key}\n{digest(states)}\n")
        shutil.rmtree(parts)
    return RendersSummary(out, counts, report, reused=False)


def size_and_time(path: Path) -> tuple[int, int] | tuple[()]:
    """Return bytes and time of change in nanoseconds; nothing where there is no such file, as a catalogue's index may have
    it.
    """
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_size, stat.st_mtime_ns


def render_row(root: Path, parts: Path, row: dict[str, Any], draw: Draw) -> dict[str, str]:
    """Run one task: write the object's arrays to ``parts`` unless they are there; returns its fault and its notes, one a line."""
    fields = json.loads(row["mesh"])
    mesh = MeshFile(**fields | {name: tuple(fields[name]) for name in ("rotation", "size")})
    images_path, voxels_path, note_path = (
        parts / f"{row['number']:06d}{ending}" for ending in ("_images.npy", "_voxels.npy", ".note")
    )
    if note_path.is_file():
        return {"fault": "", "note": read_text(note_path)}
    try:
        with faults_of(mesh.path):
            colored = read_mesh(root, mesh)
            images, voxels = render_object(colored, draw)
        if not images[:, 3].any():
            raise BadSample(mesh.path, "no view shows anything of it")
    except BadSample as error:
        return {"fault": error.reason, "note": ""}
    note = "\n".join(notes_on(colored))
    with writes_in(parts):
        np.save(images_path, images, allow_pickle=False)
        np.save(voxels_path, voxels, allow_pickle=False)
        write_text(note_path, note)
    return {"fault": "", "note": note}


def render_object(
    mesh: ColoredMesh, draw: Draw
) -> tuple[UInt8[np.ndarray, "24 4 64 64"], Bool[np.ndarray, "32 32 32"]]:
    """Return images and voxels of one object as the release stores them."""
    vertices, faces = mirrored(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces.astype(np.int64)))
    images = draw(vertices.numpy(), faces.numpy(), mesh.face_colors)
    return images, np.ascontiguousarray(to_dataset_axes(solid_voxels(vertices.numpy(), faces.numpy(), VOXEL_SHAPE[0])))


def notes_on(colored: ColoredMesh) -> list[str]:
    """Return remarks on a mesh: what its file could not have, and that only its surface may be voxels where it is open."""
    if not colored.open_edges:
        return list(colored.notes)
    reason = f"open mesh: {colored.open_edges} open edges; voxels are its surface and what it encloses"
    return [*colored.notes, reason]


def join_parts(
    building: Path,
    parts: Path,
    usable: list[tuple[int, MeshFile]],
    config: RendersConfig,
    copies: dict[MeshFile, MeshFile],
) -> dict[str, dict[str, int]]:
    """Write the .npz and lists of names of each class and split; returns the number of objects in them."""
    counts: dict[str, dict[str, int]] = {}
    for category in sorted({mesh.category for _, mesh in usable}):
        members = [(number, mesh) for number, mesh in usable if mesh.category == category]
        split_of = split_meshes([mesh for _, mesh in members], config, copies)
        counts[category] = dict(Counter(split_of.values()))
        for split in SPLITS:
            chosen = [(number, mesh.identity) for number, mesh in members if split_of[mesh.identity] == split]
            if not chosen:
                continue
            for kind, shape, dtype in (("images", IMAGE_SHAPE, np.uint8), ("voxels", VOXEL_SHAPE, np.bool_)):
                items = stored(parts, [number for number, _ in chosen], kind)
                target = building / f"{category}_{split}_{kind}.npz"
                write_npz(target, items, (len(chosen), *shape), np.dtype(dtype))
            write_text(building / f"{category}_{split}_objects.txt", "".join(f"{name}\n" for _, name in chosen))
    return counts


def stored(parts: Path, numbers: list[int], kind: str) -> Iterator[np.ndarray]:
    """Yield the arrays of the objects ``numbers``, one at a time."""
    for number in numbers:
        path = parts / f"{number:06d}_{kind}.npy"
        try:
            array = np.load(path, allow_pickle=False)
        except DAMAGE as error:
            raise UserError(f"{path} is damaged ({error}): remove {parts.parent} and prepare again") from error
        yield array


def found(out: Path, key: str, states: list[tuple[str, int, int]]) -> RendersSummary:
    """Return what is in ``out`` already; :class:`UserError` if it is something else.

    Renders from before their stamp had a second line are those of files that are no newer than it.
    """
    stamp = out / STAMP
    if not stamp.is_file():
        raise UserError(f"{out} exists and holds no renders: choose another folder or remove it")
    said, _, files = read_text(stamp).strip().partition("\n")
    if said != key:
        raise UserError(f"{out} holds renders of other meshes or settings: choose another folder")
    newest = max((changed for _, _, changed in states), default=0)
    if files != digest(states) if files else newest > stamp.stat().st_mtime_ns:
        raise UserError(
            f"{out} holds renders of these meshes, but materials, pictures or other files beside them have changed since: "
            "remove it, or choose another folder"
        )
    counts: dict[str, dict[str, int]] = {}
    for path in named(root_entries(out), "*_objects.txt"):
        category, split, _ = path.name.rsplit("_", 2)
        counts.setdefault(category, {})[split] = len(lines_of(read_text(path)))
    return RendersSummary(out, counts, QuarantineReport.read(out / "quarantine.json"), reused=True)
