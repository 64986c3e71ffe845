"""Generated chairs, tables and so on with their materials as subjects of posed views, and as a world to learn from."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.config import digest
from sem3d.rendering.posed_views import Albedo, Hits
from sem3d.worlds.grammar.sketch import labelled_mesh
from sem3d.worlds.posed.generated import GeneratedObjects, drawing_line, made_line, sketch_of
from sem3d.worlds.posed.subject import Subject, ViewsConfig, placed
from sem3d.worlds.posed.write import FORMAT, PosedSummary, write_posed
from sem3d.worlds.register import World, begun_so_far
from sem3d.worlds.textures import Material, MaterialTable

SECONDS_PER_PIXEL = 5e-6
"""Of a view of 9 rays a pixel, on one CPU."""


@dataclass(frozen=True, kw_only=True)
class PosedShapesConfig(GeneratedObjects):
    """Choice of the objects that are generated and of their views."""

    views: ViewsConfig = field(default_factory=ViewsConfig)
    """Pictures of each."""


def write_posed_shapes(out: str | Path, config: PosedShapesConfig) -> PosedSummary:
    """Generate and draw the objects into ``out``, or find them there; raises :class:`UserError` for an unknown family."""
    return write_posed(out, config.rows(), generated_subject, config.classes(), config.views, [asdict(config)])


def generated_subject(row: dict[str, Any]) -> tuple[Subject, list[str]]:
    """Return the object of a row, the same for the same kind, seed, split and number."""
    sketch = sketch_of(row)
    mesh = labelled_mesh(sketch)
    materials = tuple(dict.fromkeys(part.material for part in sketch.parts))
    of_solid = np.array([materials.index(part.material) for part in sketch.parts])
    corners = mesh.vertices[mesh.faces]
    middle, diagonal = placed(corners)
    look = albedo_of(materials, of_solid[mesh.face_solid], corners, diagonal)
    return Subject((corners - middle) / diagonal, look, mesh.face_part + 1), []


def albedo_of(
    materials: tuple[Material, ...], face_material: np.ndarray, corners: np.ndarray, diagonal: float
) -> Albedo:
    """Return the colours of materials whose patterns are laid in metres over ``corners``, seen at a size of 1 / ``diagonal``."""
    table = MaterialTable(list(materials))

    def albedo(hits: Hits) -> np.ndarray:
        position = np.einsum("rk,rkc->rc", hits.weights, corners[hits.face]).astype(np.float32)
        footprint = (hits.along * diagonal * np.float32(FINENESS)).astype(np.float32)
        return table.albedo(face_material[hits.face], position, np.zeros((len(position), 2), np.float32), footprint)

    return albedo


FINENESS = 1 / 131.25
"""Width of a pixel at depth 1 in pictures of 128 pixels: patterns finer than those show are left out at any size."""


def small_chairs() -> PosedShapesConfig:
    """Return chairs at the size and in the number that the laptop presets learn from."""
    return PosedShapesConfig(views=ViewsConfig(side=64, test_views=32))


def posed_folder(storage: Path, config: PosedShapesConfig) -> Path:
    """Return the place of the views of these objects."""
    return storage / f"posed-{digest([FORMAT, asdict(config)])}"


def make_posed(folder: Path, config: PosedShapesConfig) -> str:
    """Generate and draw the objects unless they are there."""
    made = write_posed_shapes(folder, config)
    return made_line(made, folder)


def ahead(folder: Path, config: PosedShapesConfig, cpus: float) -> str:
    """Return what drawing will take."""
    if folder.exists():
        return ""
    views = (config.train + config.val) * config.views.training_views + config.test * config.views.test_views
    return drawing_line(views, config.views.side, SECONDS_PER_PIXEL, config.kind, cpus)


def so_far(folder: Path) -> str:
    """Return how many objects are begun."""
    return begun_so_far(folder, "*/*/", "objects")


POSED_SHAPES = World(small=small_chairs, folder=posed_folder, make=make_posed, ahead=ahead, so_far=so_far)
