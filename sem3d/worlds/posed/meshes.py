"""Meshes with parts from disk as subjects of posed views: PartNet's objects, and furniture of one .obj with a part an ``o``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sem3d.bounds import Seed
from sem3d.config import digest
from sem3d.datasets.objects.mesh_files import ColoredMesh, read_mesh
from sem3d.datasets.objects.mesh_places import MeshFile
from sem3d.datasets.objects.mesh_splits import RendersConfig, split_names
from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.datasets.objects.part_classes import PARTNET
from sem3d.datasets.objects.part_meshes import FURNITURE_CLASSES, find_parted, furniture_classes, read_parted
from sem3d.datasets.objects.partnet import AnnotatedObject, find_annotated, model_of, official_splits, read_annotated
from sem3d.errors import BadSample
from sem3d.folders import file_states, is_there
from sem3d.rendering.posed_views import Albedo, Hits
from sem3d.worlds.grammar.finishes import hard_finish
from sem3d.worlds.posed.shapes import albedo_of
from sem3d.worlds.posed.subject import Subject, ViewsConfig, placed
from sem3d.worlds.posed.write import PosedSummary, write_posed

VIEWS_FROM_Y_UP = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""From axes with y up and the front at -z, ShapeNetCore's, to those of the views."""
HALF_TURN = np.diag([-1.0, -1.0, 1.0])
"""About the vertical: PartNet's objects have their back at -z."""
NEAREST = 9
"""Coloured points that a place on a surface takes its colour from."""
CLAY = 0.55
"""Reflectance where nothing is known of the looks."""
PROBES, APART = 2000, 0.03
"""Corners by which two meshes of an object are compared, and their mean distance in diagonals up to which they are aligned."""


@dataclass(frozen=True, kw_only=True)
class MeshViewsConfig:
    """Choice of the objects that are drawn, their split and their views."""

    layout: Literal["partnet", "parts"] = "partnet"
    """partnet: folders of PartNet. parts: <category>_<name>.obj, an o a part, z up; what a part is, is told by where it is."""
    category: str = "chair"
    """chair or table."""
    shapenet: str = ""
    """Folder of ShapeNetCore's meshes, <synset>/<id>/models/; where it has an object, colours are that mesh's."""
    splits: str = ""
    """Folder of PartNet's <Class>.{train,val,test}.json, which decide the splits of the objects that they name."""
    val_fraction: float = 0.1
    """Share of the objects in val."""
    test_fraction: float = 0.2
    """Share in test."""
    seed: Seed = 0
    """Seed of the split, and of the materials of parts that have none."""
    views: ViewsConfig = field(default_factory=ViewsConfig)
    """Pictures of each."""


def write_mesh_views(root: str | Path, out: str | Path, config: MeshViewsConfig) -> PosedSummary:
    """Draw the objects below ``root`` into ``out``, or find them there; raises :class:`UserError` where there are none."""
    root = Path(root).resolve()
    partnet = config.layout == "partnet"
    names = find_annotated(root, config.category) if partnet else find_parted(root, config.category)
    objects = {name: model_of(root / name) or name if partnet else name for name in names}
    splits = RendersConfig(val_fraction=config.val_fraction, test_fraction=config.test_fraction, seed=config.seed)
    split_of = split_names(sorted(set(objects.values())), splits)
    listed = official_splits(Path(config.splits), config.category) if config.splits else {}
    rows = [
        {
            "root": str(root),
            "file": name,
            "name": Path(name).stem,
            "split": listed.get(name) or split_of[objects[name]],
            "layout": config.layout,
        }
        | {"category": config.category, "shapenet": config.shapenet, "seed": config.seed}
        for name in names
    ]
    classes = PARTNET[config.category] if partnet else FURNITURE_CLASSES[config.category]
    states = [file_states(Path(folder)) for folder in (str(root), config.shapenet) if folder]
    return write_posed(out, rows, subject_of, classes, config.views, [rows, digest(states)])


def check_mesh_views(root: str | Path, config: MeshViewsConfig) -> dict[str, str]:
    """Read every object and draw nothing; returns what is wrong with each that cannot be used. Errors as above."""
    root = Path(root).resolve()
    partnet = config.layout == "partnet"
    faults = {}
    for name in find_annotated(root, config.category) if partnet else find_parted(root, config.category):
        try:
            read_annotated(root / name, config.category) if partnet else read_parted(root / name)
        except BadSample as error:
            faults[name] = str(error)
    return faults


def subject_of(row: dict[str, Any]) -> tuple[Subject, list[str]]:
    """Return the object of a row and notes on it; raises :class:`BadSample` for one that cannot be used."""
    if row["layout"] == "parts":
        return parted_subject(row)
    folder = Path(row["root"]) / row["file"]
    found = read_annotated(folder, row["category"])
    turn = HALF_TURN @ VIEWS_FROM_Y_UP
    corners = found.corners @ turn.T
    middle, diagonal = placed(corners)
    parts = (corners - middle) / diagonal
    colored, notes = shapenet_mesh(row, found, parts) if row["shapenet"] else (None, [])
    if colored is not None:
        return Subject(colored[0], colored[1], found.classes, parts), notes
    points = (found.points @ turn.T - middle) / diagonal
    if len(points):
        return Subject(parts, nearest_color(parts, points, found.colors), found.classes), notes
    return Subject(parts, flat_color(np.full((len(parts), 3), CLAY)), found.classes), [*notes, "no looks: clay is used"]


def shapenet_mesh(
    row: dict[str, Any], found: AnnotatedObject, parts: Float[np.ndarray, "face 3 3"]
) -> tuple[tuple[Float[np.ndarray, "corner_face 3 3"], Albedo] | None, list[str]]:
    """Return ShapeNet's triangles of an object in the frame of its ``parts``, and their colours; none, and a note, where it has
    none or where they do not lie where the parts do.
    """
    path = f"{SYNSETS[row['category']]}/{found.model}/models/model_normalized.obj"
    if not found.model or not is_there(Path(row["shapenet"]) / path):
        return None, ["no mesh in ShapeNet: colours are those of PartNet's points"]
    mesh: ColoredMesh = read_mesh(Path(row["shapenet"]), MeshFile(row["category"], found.model, path))
    corners = mesh.vertices[mesh.faces] @ VIEWS_FROM_Y_UP.T
    middle, diagonal = placed(corners)
    turn = best_turn((corners - middle) / diagonal, parts)
    if turn is None:
        return None, ["mesh in ShapeNet is another shape than its parts: colours are those of PartNet's points"]
    return ((corners - middle) / diagonal @ turn.T, flat_color(mesh.face_colors)), list(mesh.notes)


def best_turn(
    corners: Float[np.ndarray, "corner_face 3 3"], parts: Float[np.ndarray, "face 3 3"]
) -> Float[np.ndarray, "3 3"] | None:
    """Return the quarter turn about the vertical after which a mesh lies nearest to its parts; None where none brings it there.

    PartNet and the versions of ShapeNet differ by such turns.
    """
    tree = cKDTree(surface_points(parts))
    probes = surface_points(corners)[:PROBES]
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turns = [np.linalg.matrix_power(quarter, number) for number in range(4)]
    apart = [float(tree.query(probes @ turn.T)[0].mean()) for turn in turns]
    best = int(np.argmin(apart))
    return turns[best] if apart[best] <= APART else None


def surface_points(corners: Float[np.ndarray, "face 3 3"], count: int = 20_000) -> Float[np.ndarray, "{count} 3"]:
    """Return points spread evenly over triangles, the same each time."""
    rng = np.random.default_rng(0)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(corners), count, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), count)
    return np.einsum("pk,pkc->pc", weights, corners[face])


def nearest_color(
    corners: Float[np.ndarray, "face 3 3"], points: Float[np.ndarray, "point 3"], colors: Float[np.ndarray, "point 3"]
) -> Albedo:
    """Return colours of a surface: of each channel the median of the nearest of some points.

    PartNet's points lie on both sides of thin faces, of which one often has no colour, and its single points speckle.
    """
    tree, count = cKDTree(points), min(NEAREST, len(points))

    def albedo(hits: Hits) -> np.ndarray:
        places = np.einsum("rk,rkc->rc", hits.weights, corners[hits.face])
        return np.median(colors[tree.query(places, k=range(1, count + 1))[1]], axis=1)

    return albedo


def flat_color(face_colors: Float[np.ndarray, "face 3"]) -> Albedo:
    """Return one colour a face."""
    return lambda hits: face_colors[hits.face]


def parted_subject(row: dict[str, Any]) -> tuple[Subject, list[str]]:
    """Return furniture of named places; it has no colours, so each class of its parts gets a material, drawn for the object."""
    mesh = read_parted(Path(row["root"]) / row["file"])
    classes = furniture_classes(mesh, row["category"])
    middle, diagonal = placed(mesh.corners)
    if not diagonal:
        raise BadSample(row["file"], "degenerate mesh: it is a point")
    rng = np.random.default_rng([row["seed"], *row["name"].encode()])
    drawn = [hard_finish(rng) for _ in FURNITURE_CLASSES[row["category"]]]
    corners = (mesh.corners - middle) / diagonal
    look = albedo_of(tuple(drawn), classes, corners * METRES, METRES)
    return Subject(corners, look, classes), []


METRES = 1.2
"""Diagonal in metres of furniture whose file has another unit, for the patterns of its materials."""
