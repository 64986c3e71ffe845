"""Reconstructed surfaces against the meshes that the renders were made from: Chamfer distance, F-score, and a picture."""

import itertools
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from sem3d.config import Experiment, FilePath
from sem3d.datasets.objects.mesh_files import MeshFile, find_meshes, read_mesh
from sem3d.datasets.objects.object_names import objects_list, unlisted_name
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures import reconstruction_sheet
from sem3d.evaluation.reconstruction import sample_surface, surface_scores
from sem3d.geometry.object_views import mirrored
from sem3d.methods.method import scored
from sem3d.methods.ssr.method import SSR
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.trained_run import Outcome, Table, TrainedRun
from sem3d.rendering.shaded_views import clay_views
from sem3d.runs.device import chosen_device

POINTS = 4000
THRESHOLDS = (0.01, 0.05)
"""Of the object's longest side."""
PICTURED = 6
QUARTER = 6
HEADINGS = ("input", "ours", "a quarter on", "truth", "a quarter on")

Vertices = Float[np.ndarray, "vertex 3"]
Faces = Int[np.ndarray, "face 3"]


@dataclass(frozen=True, kw_only=True)
class SurfaceOptions(EvaluationOptions):
    """Options of every evaluation, and the true meshes."""

    meshes: FilePath = ""
    """Folder of the meshes that the renders were made from."""


def surfaces(run: TrainedRun, options: SurfaceOptions) -> Outcome:
    """Compare the meshes of a run with those that the renders were made from: Chamfer distance, F-score, a picture of both.

    Raises :class:`UserError` without a folder of meshes.
    """
    if not options.meshes:
        raise UserError("name the folder of the meshes that the renders were made from with --meshes")
    method = run.build()
    assert isinstance(method, SSR)
    views = scored(run.sources)
    assert views is not None
    found = compare_surfaces(method, run.experiment, views, Path(options.meshes))
    metrics = [{"metric": key, "value": value} for key, value in found.metrics.items()]
    return Outcome([Table(metrics, ["metric", "value"], digits=4)], pictures={"surfaces": found.picture})


@dataclass(frozen=True)
class Surfaces:
    """Means over held-out objects and views, and a picture of the first objects beside their truth."""

    metrics: dict[str, float]
    picture: UInt8[np.ndarray, "height width 3"]


def compare_surfaces(method: SSR, experiment: Experiment, views: Samples, meshes: Path) -> Surfaces:
    """Score every held-out view's mesh by points on both surfaces; lengths in units of the object's longest side.

    Raises :class:`UserError` if an object has no mesh in ``meshes``, or one that cannot be used.
    """
    device = chosen_device(experiment.run.device)
    method.to(device)
    rows = views.table.sort_by("object").to_pylist()
    files = {(mesh.category, mesh.identity): mesh for mesh in find_meshes(meshes)[0]}
    found: dict[str, list[float]] = {}
    inputs, turns = [], []
    faces = method.decoder.faces.cpu().numpy()
    for number, group in itertools.groupby(rows, key=itemgetter("object")):
        for place, row in enumerate(group):
            key = (row["class"], row["name"])
            if key not in files:
                raise UserError(f"no mesh of {key[1]} (class {key[0]}) in {meshes}: {fix(row, experiment.data.root)}")
            try:
                if place == 0:
                    vertices, true_faces = true_mesh(meshes, files[key])
                image = views.load(row, np.random.default_rng(0))["image"][0]
            except BadSample as fault:
                raise UserError(f"{fault.source}: {fault.reason}") from fault
            with torch.no_grad():
                predicted = method.meshes(torch.tensor(image[None], device=device))[0].double().cpu().numpy()
            rng = np.random.default_rng([number, row["view"]])
            points = [sample_surface(*mesh, POINTS, rng) for mesh in ((predicted, faces), (vertices, true_faces))]
            for threshold in THRESHOLDS:
                scores = surface_scores(*points, threshold=threshold)
                found.setdefault(f"f_score_{100 * threshold:g}_percent", []).append(scores.f_score)
            found.setdefault("chamfer", []).append(scores.chamfer)
            found.setdefault("squared_chamfer", []).append(scores.squared_chamfer)
            if place == 0 and len(inputs) < PICTURED:
                inputs.append(image)
                seen_from = (row["view"], row["view"] + QUARTER)
                turns.append([*clay_views(predicted, faces, seen_from), *clay_views(vertices, true_faces, seen_from)])
    means = {name: fmean(values) for name, values in found.items()}
    return Surfaces(means, reconstruction_sheet(inputs, turns, HEADINGS))


def fix(row: dict[str, Any], root: str) -> str:
    """Return what to do about an object without its mesh."""
    if row["name"] != unlisted_name(row["object"]):
        return "name the renders' own folder"
    names = objects_list(Path(root), row["class"], row["split"]).name
    return f"list the objects' names, one a line in the order of the renders, in {names} beside the renders' .npz"


def true_mesh(root: Path, file: MeshFile) -> tuple[Vertices, Faces]:
    """Return a mesh on disk in the object frame; raises :class:`BadSample`."""
    mesh = read_mesh(root, file)
    vertices, faces = mirrored(torch.tensor(mesh.vertices), torch.tensor(mesh.faces))
    return vertices.numpy(), faces.numpy()
