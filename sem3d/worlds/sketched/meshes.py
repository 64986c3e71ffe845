"""Meshes from disk, ShapeNetCore's among them, drawn with sketches and voxels: training data where there are real shapes."""

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.bounds import Seed
from sem3d.config import digest
from sem3d.datasets.objects.mesh_files import find_meshes, read_mesh
from sem3d.datasets.objects.mesh_places import MeshFile, contents_of, copied_meshes
from sem3d.datasets.objects.mesh_splits import RendersConfig, split_meshes
from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.datasets.quarantine import Quarantined
from sem3d.errors import UserError
from sem3d.folders import file_states
from sem3d.rendering.posed_views import Hits
from sem3d.worlds.posed.write import PosedSummary, write_drawn
from sem3d.worlds.sketched.subject import SketchedObject, SketchesConfig, write_object

FORMAT = 1
CLASSES = ("background", "object")


@dataclass(frozen=True, kw_only=True)
class SketchedMeshesConfig:
    """Choice of the meshes that are drawn, their split and their views."""

    category: str = "chair"
    """One class: a synset, one of ShapeNet's 13 names, or the folder's name."""
    val_fraction: float = 0.1
    """Share of the objects in val."""
    test_fraction: float = 0.2
    """Share in test."""
    seed: Seed = 0
    """Seed of the split."""
    views: SketchesConfig = field(default_factory=SketchesConfig)
    """Pictures of each."""


def write_sketched_meshes(root: str | Path, out: str | Path, config: SketchedMeshesConfig) -> PosedSummary:
    """Draw the meshes of a class below ``root`` into ``out``, or find them there; raises :class:`UserError` where there are none.

    Copies of a mesh stand in one split. Their looks are their own, as renders and before backgrounds; they have no keypoints.
    """
    root = Path(root).resolve()
    meshes, faults = find_meshes(root)
    wanted = SYNSETS.get(config.category, config.category)
    chosen = [mesh for mesh in meshes if SYNSETS.get(mesh.category, mesh.category) == wanted]
    if not chosen:
        there = ", ".join(sorted({mesh.category for mesh in meshes}))
        raise UserError(f"no mesh of a class '{config.category}' in {root}: there are {there}")
    fractions = RendersConfig(val_fraction=config.val_fraction, test_fraction=config.test_fraction, seed=config.seed)
    split_of = split_meshes(chosen, fractions, copied_meshes(contents_of(root, chosen)))
    rows = [
        {"root": str(root), "mesh": asdict(mesh), "name": mesh.identity, "split": split_of[mesh.identity]}
        for mesh in chosen
    ]
    key = digest([FORMAT, asdict(config), rows, digest(file_states(root))])
    made = write_drawn(out, rows, partial(draw_mesh, config=config.views), CLASSES, key)
    made.report.notes.extend(Quarantined(fault.source, "", fault.reason) for fault in faults)
    return made


def draw_mesh(folder: Path, row: dict[str, Any], config: SketchesConfig) -> list[str]:
    """Draw the mesh of a row; returns notes on it, and raises :class:`BadSample` for one that cannot be used."""
    content = row["mesh"] | {name: tuple(row["mesh"][name]) for name in ("rotation", "size")}
    mesh = read_mesh(Path(row["root"]), MeshFile(**content))

    def look(hits: Hits) -> np.ndarray:
        return mesh.face_colors[hits.face]

    labels = np.ones(len(mesh.faces), np.int64)
    one = SketchedObject(mesh.vertices, mesh.faces, labels, plain=look, textured=look)
    write_object(folder, one, config, row["split"], row["name"])
    return list(mesh.notes)
