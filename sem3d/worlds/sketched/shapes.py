"""Generated chairs, cars and airplanes with sketches, voxels and keypoints, as the world of the methods of 2D-3D-2D."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from sem3d.bounds import Bounds
from sem3d.config import digest
from sem3d.datasets.objects.keypointnet import AnnotatedModel
from sem3d.datasets.objects.pcd import POINTS
from sem3d.geometry.object_camera import Z_UP_FROM_Y_UP
from sem3d.rendering.posed_views import Hits
from sem3d.worlds.grammar.sketch import labelled_mesh
from sem3d.worlds.keypoint_shapes import Named, annotated_cloud, write_models
from sem3d.worlds.posed.generated import GeneratedObjects, drawing_line, made_line, sketch_of
from sem3d.worlds.posed.shapes import albedo_of
from sem3d.worlds.posed.write import PosedSummary, write_drawn
from sem3d.worlds.register import World, begun_so_far
from sem3d.worlds.shapes.register import FAMILIES
from sem3d.worlds.sketched.subject import NamedPlace, SketchedObject, SketchesConfig, write_object

FORMAT = 1
SECONDS_PER_PIXEL = 8e-6
"""Of a view of 9 rays a pixel and its sketch, on one CPU."""


@dataclass(frozen=True, kw_only=True)
class SketchedShapesConfig(GeneratedObjects):
    """Choice of the objects that are generated and of their views."""

    views: SketchesConfig = field(default_factory=SketchesConfig)
    """Pictures of each."""
    clouds: Annotated[int, Bounds(0)] = 0
    """Points of a cloud of each object with keypoints, in KeypointNet's layout beside the views, by the same splits; 0: none."""


def written(config: SketchedShapesConfig) -> dict[str, Any]:
    """Return what decides the files; clouds only where there are some."""
    return {name: value for name, value in asdict(config).items() if name != "clouds" or value}


def write_sketched_shapes(out: str | Path, config: SketchedShapesConfig) -> PosedSummary:
    """Generate and draw the objects into ``out``, or find them there; raises :class:`UserError` for an unknown family."""
    rows, classes = config.rows(), config.classes()
    draw = partial(draw_generated, config=config.views)
    key = digest([FORMAT, written(config), classes])
    return write_drawn(out, rows, draw, classes, key, partial(write_clouds, rows=rows, config=config))


def write_clouds(folder: Path, rows: Sequence[Mapping[str, Any]], config: SketchedShapesConfig) -> None:
    """Write a cloud of each object, whose keypoints are among its points, unless there are to be none."""
    if config.clouds:
        write_models(folder, config.kind, (cloud_of(row, config.clouds) for row in rows))


def cloud_of(row: Mapping[str, Any], points: int) -> tuple[AnnotatedModel, np.ndarray]:
    """Return the object of a row as KeypointNet has models."""
    one = generated_object(row)
    places = {point.name: point.xyz for point in one.keypoints}
    rng = np.random.default_rng([row["seed"], zlib.crc32(row["name"].encode())])
    return annotated_cloud(
        Named(row["kind"], row["name"], row["split"]), (one.vertices, one.faces), places, points, rng
    )


def with_clouds(config: SketchedShapesConfig, leaves: Mapping[str, Any]) -> SketchedShapesConfig:
    """Return objects with clouds where a training on them sees points: of KeypointNet's number, or as many as it sees.

    A keypoint is the nearest point of its cloud, so that fewer would move it.
    """
    seen = int(leaves.get("data.points", 0))
    return replace(config, clouds=max(config.clouds, seen, POINTS)) if seen else config


def draw_generated(folder: Path, row: Mapping[str, Any], config: SketchesConfig) -> list[str]:
    """Draw the object of a row; there is nothing to note."""
    write_object(folder, generated_object(row), config, row["split"], row["name"])
    return []


def generated_object(row: Mapping[str, Any]) -> SketchedObject:
    """Return the object of a row, the same for the same kind, seed, split and number."""
    sketch = sketch_of(row)
    mesh = labelled_mesh(sketch)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle, longest = (low + high) / 2.0, float((high - low).max())
    materials = tuple(dict.fromkeys(part.material for part in sketch.parts))
    of_face = np.array([materials.index(part.material) for part in sketch.parts])[mesh.face_solid]
    flat = np.array([material.mean_color for material in materials])[of_face]

    def plain(hits: Hits) -> np.ndarray:
        return flat[hits.face]

    names = FAMILIES[row["kind"]].vocabulary.keypoints
    return SketchedObject(
        vertices=(mesh.vertices - middle) / longest @ Z_UP_FROM_Y_UP.T,
        faces=mesh.faces,
        labels=mesh.face_part + 1,
        plain=plain,
        textured=albedo_of(materials, of_face, mesh.vertices[mesh.faces], longest),
        keypoints=tuple(
            NamedPlace(names.index(point.name), point.name, Z_UP_FROM_Y_UP @ ((point.xyz - middle) / longest))
            for point in mesh.keypoints
        ),
    )


def small_sketches() -> SketchedShapesConfig:
    """Return chairs at the size and in the number that the laptop presets learn from."""
    return SketchedShapesConfig(views=SketchesConfig(side=64))


def sketched_folder(storage: Path, config: SketchedShapesConfig) -> Path:
    """Return the place of the views of these objects."""
    return storage / f"sketched-{digest([FORMAT, written(config)])}"


def make_sketched(folder: Path, config: SketchedShapesConfig) -> str:
    """Generate and draw the objects unless they are there."""
    made = write_sketched_shapes(folder, config)
    return made_line(made, folder)


def ahead(folder: Path, config: SketchedShapesConfig, cpus: float) -> str:
    """Return what drawing will take."""
    if folder.exists():
        return ""
    views = (config.train + config.val) * config.views.training_views + 2 * config.test * config.views.test_views
    return drawing_line(views, config.views.side, SECONDS_PER_PIXEL, config.kind, cpus)


def so_far(folder: Path) -> str:
    """Return how many objects are begun."""
    return begun_so_far(folder, "*/*/", "objects")


SKETCHED_SHAPES = World(
    small=small_sketches,
    folder=sketched_folder,
    make=make_sketched,
    ahead=ahead,
    so_far=so_far,
    fine_enough=with_clouds,
)
