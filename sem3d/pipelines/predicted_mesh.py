"""The mesh of the object in a picture, as a file, with a turntable of it beside it and in MLflow."""

from pathlib import Path

import torch

from sem3d.datasets.objects.object_image import read_object_image, write_mesh
from sem3d.evaluation.figures import reconstruction_sheet
from sem3d.geometry.object_views import mirrored
from sem3d.methods.ssr.method import SSR
from sem3d.pipelines.options import PredictionOptions
from sem3d.pipelines.predicted_picture import write_picture
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.rendering.shaded_views import clay_views
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

TURNTABLE = {f"{15 * view} degrees": view for view in range(0, 24, 3)}
"""Views of the 24 that the mesh is pictured from."""


def predict_mesh(run: TrainedRun, options: PredictionOptions) -> Outcome:
    """Reconstruct the object in a picture whose alpha channel is its mask; write the mesh (.obj, .ply or .glb).

    The mesh is right-handed with y up, in the frame that the training data has for its class, about the origin, inside a cube of
    side 1. Views all around it lie beside it, ending in .turntable.png. Picture, mesh and these go to the MLflow experiment
    sem3d-predictions.
    """
    given, made = Path(options.image), Path(options.out)
    image = read_object_image(given)
    store = LockedStore(Path(options.storage), options.tracking_uri)
    method = run.predictor()
    assert isinstance(method, SSR)
    with torch.no_grad():
        seen = torch.tensor(image[None], device=method.decoder.faces.device)
        shape = method.meshes(seen).float().cpu()
    triangles = method.decoder.faces.cpu()
    vertices, faces = mirrored(shape, triangles)
    write_mesh(made, vertices[0].numpy(), faces.numpy())
    around = clay_views(shape[0].numpy(), triangles.numpy(), list(TURNTABLE.values()))
    turntable = reconstruction_sheet([image], [around], ["input", *TURNTABLE])
    shown = made.with_suffix(".turntable.png")
    write_picture(shown, turntable)
    made_by = {"model": options.run, "weights": str(run.weights)}
    return Outcome(
        lines=[
            f"mesh       {made} ({vertices.shape[1]} vertices, {len(faces)} faces)",
            f"picture    {shown}",
            record_prediction(store, made_by, given, {made: "mesh"}, ("turntable.png", turntable)),
        ]
    )
