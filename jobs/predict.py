"""Reconstructs the object in a picture: ``python -m jobs.predict ssr --image x.png --out mesh.glb [--run RUN]``.

The picture needs an alpha channel, which is the object's mask. The mesh (.obj, .ply or .glb) is right-handed with y up; it is in
the frame that the training data has for its class, about the origin, inside a cube of side 1. Picture, mesh and a turntable
of it go to the MLflow experiment sem3d-predictions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tyro.conf import Positional

from jobs import command_line
from jobs.evaluate import Evaluate, build, settings
from jobs.exits import run
from jobs.places import place, storage_place, store_place
from sem3d.runs.checkpoint import weights_file

TURNTABLE = {f"{15 * view} degrees": view for view in range(0, 24, 3)}
"""Views of the 24 that the mesh is pictured from."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """What to reconstruct, with what."""

    method: Positional[Literal["ssr"]]
    """The method whose run is used."""
    image: Path
    """Picture of one object with an alpha channel."""
    out: Path
    """Where the mesh goes; its ending says how it is written."""
    run: str = "models:/sem3d-ssr@champion"
    """Run folder, one of its checkpoint folders, or a registered model."""
    storage: str = "runs"
    """Folder of the default MLflow store; registered models are kept there once fetched."""
    tracking_uri: str = ""
    """MLflow server or store of registered models and predictions; empty: MLFLOW_TRACKING_URI, else a SQLite file in storage."""


def main() -> None:
    """Parses, reconstructs, writes."""
    config = command_line.parse(Predict, prog="python -m jobs.predict", description=__doc__)
    from sem3d.datasets.objects.object_image import read_object_image, write_mesh
    from sem3d.evaluation.figures import reconstruction_sheet
    from sem3d.geometry.object_views import mirrored
    from sem3d.rendering.shaded_views import clay_views
    from sem3d.tracking.prediction import record_prediction
    from sem3d.tracking.store import LockedStore

    image = torch.tensor(read_object_image(place(config.image)))
    store = LockedStore(storage_place(config.storage, "storage"), store_place(config.tracking_uri))
    source = Evaluate(run=config.run, storage=config.storage, tracking_uri=config.tracking_uri)
    name, experiment = settings(source, (config.method,))
    weights = weights_file(source.folder)
    method = build(name, experiment, str(weights))
    with torch.no_grad():
        shape = method.meshes(image[None]).float()
    vertices, faces = mirrored(shape, method.decoder.faces)
    write_mesh(place(config.out), vertices[0].numpy(), faces.numpy())
    print(f"mesh       {place(config.out)} ({vertices.shape[1]} vertices, {len(faces)} faces)")
    around = clay_views(shape[0].numpy(), method.decoder.faces.numpy(), list(TURNTABLE.values()))
    turntable = reconstruction_sheet([image.numpy()], [around], ["input", *TURNTABLE])
    made_by = {"model": config.run, "weights": str(weights)}
    print(record_prediction(store, made_by, place(config.image), place(config.out), turntable))


if __name__ == "__main__":
    run(main)
