"""From meshes to a page on which people mark keypoints, and from their files to annotations in KeypointNet's layout."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sem3d.datasets.objects.keypointnet import (
    AnnotatedModel,
    Keypoint,
    Rotation,
    cloud_path,
    read_annotations,
    write_annotations,
)
from sem3d.datasets.objects.mesh_files import MeshFile, find_meshes, read_mesh
from sem3d.datasets.objects.pcd import POINTS, read_pcd, write_pcd
from sem3d.datasets.objects.raw_keypoints import UNMARKED, read_marks
from sem3d.datasets.objects.verdicts import after_verdict, read_verdict
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.reconstruction import sample_surface
from sem3d.files import whole_folder
from sem3d.pipelines.aggregation.aggregate import AggregationConfig, aggregate
from sem3d.pipelines.aggregation.fidelity import surface_distances
from sem3d.pipelines.aggregation.symmetry import SymmetryGroups, symmetry_groups
from sem3d.reporting.page.annotation import MarkedMesh, annotation_page
from sem3d.reporting.page.verification import verification_page

MOST_FACES = 20_000
"""Of a mesh that a page draws at once."""
FEWEST_MODELS = 2


def meshes_to_mark(root: Path, category: str, models: int) -> tuple[str, list[MarkedMesh], list[BadSample]]:
    """Return the class and its first meshes that a page can draw, and why others before them cannot be.

    ``category`` may be empty where there is one class. Raises :class:`UserError` for another class, several, or no mesh.
    """
    files = of_class(find_meshes(root)[0], category, root)
    meshes, faults = [], []
    for file in files:
        if len(meshes) == models:
            break
        try:
            mesh = read_mesh(root, file)
            if len(mesh.faces) > MOST_FACES:
                raise BadSample(file.path, f"too many faces for a page: {len(mesh.faces)}, at most {MOST_FACES}")
            meshes.append(MarkedMesh(file.identity, mesh.vertices, mesh.faces))
        except BadSample as fault:
            faults.append(fault)
    if not meshes:
        raise UserError(f"no mesh of {root} can be marked: {faults[0]}")
    return files[0].category, meshes, faults


def of_class(files: Sequence[MeshFile], category: str, root: Path) -> list[MeshFile]:
    """Return the meshes of one class; raises :class:`UserError` where that is not clear."""
    known = sorted({file.category for file in files})
    if not category and len(known) > 1:
        raise UserError(f"{root} has several classes: name one of {', '.join(known)} with --category")
    chosen = [file for file in files if file.category == (category or known[0])]
    if not chosen:
        raise UserError(f"no class '{category}' in {root}: there is {', '.join(known)}")
    return chosen


def page_of(root: Path, category: str, models: int) -> tuple[str, int, list[BadSample]]:
    """Return the annotation page of a class, how many meshes are on it, and why others are not; errors as above."""
    class_id, meshes, faults = meshes_to_mark(root, category, models)
    return annotation_page(class_id, class_id, meshes), len(meshes), faults


def verification_of(root: Path, meshes_root: Path, category: str) -> tuple[str, int]:
    """Return the verification page of the models of ``root``, a folder that :func:`annotate` wrote, and how many they are.

    Raises :class:`UserError` for models without a mesh.
    """
    models, _ = read_annotations(root)
    class_id, meshes, _ = meshes_to_mark(meshes_root, category, len(find_meshes(meshes_root)[0]))
    known = {mesh.model_id: mesh for mesh in meshes}
    for model in models:
        if model.model_id not in known:
            raise UserError(f"no mesh of {model.model_id} in {meshes_root} that a page can draw")
    mirror: dict[int, int] = {}
    for model in models:
        ids = model.semantic_ids.tolist()
        for one, other in (group for group in model.reflections if len(group) == 2):
            mirror |= {ids[one]: ids[other], ids[other]: ids[one]}
    keypoints = [(model.semantic_ids, model.places) for model in models]
    shown = [known[model.model_id] for model in models]
    return verification_page(class_id, class_id, shown, keypoints, mirror), len(models)


def after_verification(root: Path, verdict: Path, out: Path) -> tuple[int, int]:
    """Write the models of ``root`` after a verdict into ``out``; return how many keypoints there were and are.

    Raises :class:`UserError` for a verdict on other models.
    """
    models, _ = read_annotations(root)
    given = read_verdict(verdict)
    if {model.class_id for model in models} != {given.class_id}:
        raise UserError(f"{verdict} is about class {given.class_id}, {root} is not")
    clouds = {model.model_id: read_pcd(cloud_path(root, model))[0] for model in models}
    after = after_verdict(models, given, lambda model: clouds[model.model_id])
    with whole_folder(out) as folder:
        write_models(folder, given.class_id, after, [clouds[model.model_id] for model in after])
    before, now = (sum(len(model.keypoints) for model in each) for each in (models, after))
    return before, now


def write_models(
    folder: Path, class_id: str, models: Sequence[AnnotatedModel], clouds: Sequence[Float[np.ndarray, "point 3"]]
) -> None:
    """Write annotations and clouds in KeypointNet's layout."""
    for model, cloud in zip(models, clouds, strict=True):
        path = cloud_path(folder, model)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pcd(path, cloud)
    write_annotations(folder / "annotations" / f"{class_id}.json", models)


def cloud_of(mesh: MarkedMesh, points: int) -> Float[np.ndarray, "point 3"]:
    """Return points of a mesh in a box of diagonal 1 about the origin, as the page shows it; the same for the same mesh."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    vertices = (mesh.vertices - (low + high) / 2) / float(np.linalg.norm(high - low))
    return sample_surface(vertices, mesh.faces, points, np.random.default_rng(0))


def annotate(
    root: Path,
    category: str,
    files: Sequence[Path],
    out: Path,
    config: AggregationConfig,
    say: Callable[[str], None],
) -> tuple[int, SymmetryGroups]:
    """Aggregate people's files on meshes into ``out``, a folder in KeypointNet's layout; return how many meanings there are and
    their symmetries.

    Raises :class:`UserError` for files that do not fit the meshes, fewer than two marked models, and marks that agree on nothing.
    """
    class_id, meshes, _ = meshes_to_mark(root, category, len(find_meshes(root)[0]))
    clouds = {mesh.model_id: cloud_of(mesh, POINTS) for mesh in meshes}
    names, raw = read_marks(files, clouds)
    if raw.models < FEWEST_MODELS:
        raise UserError(f"marks on {raw.models} model agree with nothing: at least {FEWEST_MODELS} are needed")
    say(f"aggregating marks of {len(raw.marks)} people on {raw.models} models")
    found = aggregate(raw, surface_distances(raw.clouds), config)
    keypoints = found.keypoints
    if not keypoints.shape[1]:
        raise UserError(
            "the marks agree on no keypoint: lower the share of models that make a cluster, or mark more models"
        )
    groups = symmetry_groups(raw.clouds, keypoints)
    models = [
        annotated(class_id, name, cloud, own, groups)
        for name, cloud, own in zip(names, raw.clouds, keypoints, strict=True)
    ]
    with whole_folder(out) as folder:
        write_models(folder, class_id, models, list(raw.clouds))
    return keypoints.shape[1], groups


def annotated(
    class_id: str,
    name: str,
    cloud: Float[np.ndarray, "point 3"],
    keypoints: Int[np.ndarray, " meaning"],
    groups: SymmetryGroups,
) -> AnnotatedModel:
    """Return a model with its keypoints, the symmetries of those that it has among them."""
    there = np.flatnonzero(keypoints != UNMARKED).tolist()
    place = {meaning: number for number, meaning in enumerate(there)}
    marks = tuple(
        Keypoint(
            meaning, tuple(cloud[keypoints[meaning]].tolist()), int(keypoints[meaning]), -1, (0.0, 0.0, 0.0), (0, 0, 0)
        )
        for meaning in there
    )
    pairs = tuple((place[one], place[other]) for one, other in groups.reflections if {one, other} <= place.keys())
    turns = [
        Rotation(tuple(place[one] for one in group), False) for group in groups.rotations if set(group) <= place.keys()
    ]
    return AnnotatedModel(class_id, name, marks, pairs, tuple(turns))
