"""Reconstructs the object in a picture: ``python -m jobs.predict ssr --image x.png --out mesh.glb [--run RUN]``.

The picture needs an alpha channel, which is the object's mask. The mesh (.obj, .ply or .glb) is right-handed with y up; it is in
the frame that the training data has for its class, about the origin, inside a cube of side 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tyro.conf import Positional

from jobs import command_line
from jobs.evaluate import Evaluate, build, settings
from jobs.exits import run
from jobs.places import place
from sem3d.training.checkpoint import weights_file


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
    """MLflow server or store of registered models; empty: MLFLOW_TRACKING_URI, else a SQLite file in storage."""


def main() -> None:
    """Parses, reconstructs, writes."""
    config = command_line.parse(Predict, prog="python -m jobs.predict", description=__doc__)
    from sem3d.datasets.object_image import read_object_image, write_mesh
    from sem3d.geometry.object_views import mirrored

    image = torch.tensor(read_object_image(place(config.image)))
    source = Evaluate(run=config.run, storage=config.storage, tracking_uri=config.tracking_uri)
    name, experiment = settings(source, (config.method,))
    method = build(name, experiment, str(weights_file(source.folder)))
    with torch.no_grad():
        vertices, faces = mirrored(method.meshes(image[None]).float(), method.decoder.faces)
    write_mesh(place(config.out), vertices[0].numpy(), faces.numpy())
    print(f"mesh       {place(config.out)} ({vertices.shape[1]} vertices, {len(faces)} faces)")


if __name__ == "__main__":
    run(main)
