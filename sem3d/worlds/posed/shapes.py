"""Generated chairs, tables and so on with their materials as subjects of posed views, and as a world to learn from."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.bounds import AtLeastOne, Seed
from sem3d.config import digest
from sem3d.errors import UserError
from sem3d.rendering.posed_views import Albedo, Hits
from sem3d.worlds.grammar.sketch import labelled_mesh
from sem3d.worlds.posed.subject import Subject, ViewsConfig, placed
from sem3d.worlds.posed.write import FORMAT, PosedSummary, write_posed
from sem3d.worlds.register import World, begun_so_far
from sem3d.worlds.shapes.register import FAMILIES
from sem3d.worlds.textures import Material, MaterialTable

SECONDS_PER_PIXEL = 5e-6
"""Of a view of 9 rays a pixel, on one CPU."""


@dataclass(frozen=True, kw_only=True)
class PosedShapesConfig:
    """Choice of the objects that are generated and of their views."""

    kind: str = "chair"
    """A family: chair, table, lamp, car or airplane."""
    train: AtLeastOne = 100
    """Training objects."""
    val: AtLeastOne = 10
    """Objects to choose the best checkpoint by."""
    test: AtLeastOne = 20
    """Objects to score on."""
    seed: Seed = 0
    """Decides the objects; object k of a split is the same whatever their number."""
    views: ViewsConfig = field(default_factory=ViewsConfig)
    """Pictures of each."""


def write_posed_shapes(out: str | Path, config: PosedShapesConfig) -> PosedSummary:
    """Generate and draw the objects into ``out``, or find them there; raises :class:`UserError` for an unknown family."""
    if config.kind not in FAMILIES:
        raise UserError(f"no shape family '{config.kind}': choose of {', '.join(sorted(FAMILIES))}")
    counts = {"train": config.train, "val": config.val, "test": config.test}
    rows = [
        {
            "kind": config.kind,
            "seed": config.seed,
            "split": split,
            "number": number,
            "name": f"{config.kind}-{split}-{number:05d}",
        }
        for split, count in counts.items()
        for number in range(count)
    ]
    classes = ("background", *FAMILIES[config.kind].vocabulary.parts)
    return write_posed(out, rows, generated_subject, classes, config.views, [asdict(config)])


def generated_subject(row: dict[str, Any]) -> tuple[Subject, list[str]]:
    """Return the object of a row, the same for the same kind, seed, split and number."""
    places = {"train": 0, "val": 1, "test": 2}
    sketch = FAMILIES[row["kind"]].draw(np.random.default_rng([row["seed"], places[row["split"]], row["number"]]))
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
    return f"{'found' if made.reused else 'drew'} {sum(made.objects.values())} objects: {folder}"


def ahead(folder: Path, config: PosedShapesConfig, cpus: float) -> str:
    """Return what drawing will take."""
    if folder.exists():
        return ""
    views = (config.train + config.val) * config.views.training_views + config.test * config.views.test_views
    seconds = views * config.views.side**2 * SECONDS_PER_PIXEL / max(cpus, 1)
    return f"drawing {views} views of {config.kind}s: about {max(seconds, 1):.0f} s on {cpus:g} CPUs"


def so_far(folder: Path) -> str:
    """Return how many objects are begun."""
    return begun_so_far(folder, "*/*/", "objects")


POSED_SHAPES = World(small=small_chairs, folder=posed_folder, make=make_posed, ahead=ahead, so_far=so_far)
