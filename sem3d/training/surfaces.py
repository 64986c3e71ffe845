"""Reconstructed surfaces against the meshes that the renders were made from: Chamfer distance, F-score, and a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from sem3d.config import Experiment
from sem3d.datasets.mesh_files import find_meshes, read_mesh
from sem3d.datasets.object_renders import held_out_views, open_renders
from sem3d.datasets.shapenet_renders import load_view
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures import reconstruction_sheet
from sem3d.evaluation.reconstruction import sample_surface, surface_scores
from sem3d.geometry.object_views import VIEWS, mirrored
from sem3d.methods.ssr import CLAY, SSR
from sem3d.rendering.shaded_views import shaded_views

POINTS = 4000
THRESHOLDS = (0.01, 0.05)
"""Of the object's longest side."""
PICTURED = 6
QUARTER = 6
HEADINGS = ("input", "ours", "a quarter on", "truth", "a quarter on")

Vertices = Float[np.ndarray, "vertex 3"]
Faces = Int[np.ndarray, "face 3"]


@dataclass(frozen=True)
class Surfaces:
    """Means over held-out objects and views, and a picture of the first objects beside their truth."""

    metrics: dict[str, float]
    picture: UInt8[np.ndarray, "height width 3"]


def compare_surfaces(method: SSR, experiment: Experiment, meshes: Path) -> Surfaces:
    """Scores of every held-out view's mesh by points on both surfaces; lengths in units of the object's longest side.

    Raises :class:`UserError` if an object has no mesh in ``meshes``, or one that cannot be used.
    """
    folder = open_renders(experiment.data.root, experiment.run.storage).folder
    rows = held_out_views(experiment.data, experiment.run.storage).table.to_pylist()
    found: dict[str, list[float]] = {}
    inputs, turns = [], []
    faces = method.decoder.faces.cpu().numpy()
    for row, (vertices, true_faces) in zip(rows, truths(rows, meshes), strict=True):
        image = load_view(folder, row).image
        with torch.no_grad():
            predicted = method.meshes(torch.tensor(image[None]))[0].double().numpy()
        rng = np.random.default_rng([row["object"], row["view"]])
        points = [sample_surface(*mesh, POINTS, rng) for mesh in ((predicted, faces), (vertices, true_faces))]
        for threshold in THRESHOLDS:
            scores = surface_scores(*points, threshold=threshold)
            found.setdefault(f"f_score_{100 * threshold:g}_percent", []).append(scores.f_score)
        found.setdefault("chamfer", []).append(scores.chamfer)
        found.setdefault("squared_chamfer", []).append(scores.squared_chamfer)
        if len(inputs) < PICTURED:
            inputs.append(image)
            turns.append([*turned(predicted, faces, row["view"]), *turned(vertices, true_faces, row["view"])])
    means = {name: fmean(values) for name, values in found.items()}
    return Surfaces(means, reconstruction_sheet(inputs, turns, HEADINGS))


def truths(rows: list[dict[str, Any]], meshes: Path) -> Iterator[tuple[Vertices, Faces]]:
    """The true mesh of each row in the object frame; each file is read once."""
    files = {(mesh.category, mesh.identity): mesh for mesh in find_meshes(meshes)[0]}
    known: dict[tuple[str, str], tuple[Vertices, Faces]] = {}
    for row in rows:
        key = (row["class"], row["name"])
        if key not in files:
            raise UserError(f"no mesh of {key[1]} (class {key[0]}) in {meshes}: name the folder the renders came from")
        if key not in known:
            try:
                mesh = read_mesh(meshes, files[key])
            except BadSample as fault:
                raise UserError(f"{fault.source}: {fault.reason}") from fault
            vertices, faces = mirrored(torch.tensor(mesh.vertices), torch.tensor(mesh.faces))
            known[key] = (vertices.numpy(), faces.numpy())
        yield known[key]


def turned(vertices: Vertices, faces: Faces, view: int) -> list[UInt8[np.ndarray, "4 64 64"]]:
    """A mesh as seen from ``view`` and a quarter turn on."""
    colors = np.full((len(faces), 3), CLAY)
    return list(shaded_views(vertices, faces, colors, views=[view, (view + QUARTER) % VIEWS]))
