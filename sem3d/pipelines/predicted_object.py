"""Viewpoint, 2.5D sketches and shape of the object in a picture, each by one network, as files with a picture beside them."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.bounds import check_bounds
from sem3d.datasets.objects.object_image import MESH_FORMATS, write_mesh
from sem3d.errors import UserError
from sem3d.evaluation.figures.dials import viewpoint_dials
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.files import whole_file, write_json
from sem3d.geometry.voxel_mesh import voxel_mesh
from sem3d.methods.method import TRAIN
from sem3d.methods.reconstruction.method import Reconstruction
from sem3d.methods.reconstruction.pictures import Picture, sketch_pictures
from sem3d.methods.reconstruction.sketches import ReconstructionSketches
from sem3d.methods.viewpoint import Viewpoint, ViewpointBatch
from sem3d.networks.sketch_network import cleaned
from sem3d.pipelines.options import ObjectPredictionOptions, ShapePredictionOptions
from sem3d.pipelines.pixel_semantics.drawing import shaded
from sem3d.pipelines.pixel_semantics.networks import usual_distance
from sem3d.pipelines.pixel_semantics.squares import as_image, cut_square
from sem3d.pipelines.predicted_picture import out_file, outcome
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.rendering.fitted_viewpoint import ObjectCamera
from sem3d.rendering.posed_views import TracedMesh
from sem3d.runs.device import chosen_device

FRAME = "ShapeNetCore: y up, front at -z; azimuth from +z to +x, elevation from the horizon up, of the camera about it"
SILHOUETTE = 4
"""Channel of sketches."""
SHOWN_FROM = {"from its front": 150, "its right": 60, "its back": -30, "its left": -120}
"""Azimuths, degrees, that a shape is pictured from."""
SHOWN_POLAR, SHOWN_DISTANCE = 70, 2.8


def predict_viewpoint(run: TrainedRun, options: ObjectPredictionOptions) -> Outcome:
    """Find where the object in a picture is seen from; write azimuth and elevation, in degrees, as JSON (.json).

    They are of the direction from the object to the camera in ShapeNetCore's frame, y up, the front at -z: azimuth counts from
    +z to +x, so that 180 sees the front and 90 the object's right side, elevation upwards from the horizon. A picture beside it
    has both on dials, azimuth from above with the front at the bottom. Results go to the MLflow experiment sem3d-predictions.
    """
    made = out_file(options, ".json")
    method = run.predictor()
    assert isinstance(method, Viewpoint)
    if method.experiment.method.sees == "true_sketches":
        raise UserError(
            f"{options.run} sees true sketches, which a picture of yours has not: name a run with method.sees image or sketches"
        )
    image = seen_object(run, options)
    # of the truth only its kind is there
    batch = ViewpointBatch(torch.zeros(1, 2), torch.zeros(1, 3), torch.ones(1, dtype=torch.uint8), image[None])
    with torch.no_grad():
        found = torch.stack(method.angles(batch), 1).double().cpu()
    azimuth, polar = torch.rad2deg(found[0]).tolist()
    numbers = {"azimuth": round(azimuth % 360, 2), "elevation": round(90 - polar, 2)}
    write_json(made, {"degrees": numbers, "frame": FRAME})
    sheet = viewpoint_dials([as_picture(image)], None, found.numpy())
    angles = f"azimuth {azimuth % 360:.0f}, elevation {90 - polar:.0f} degrees"
    said = f"viewpoint  {made} ({angles}; azimuth 180 sees the object's front, 90 its right side)"
    return outcome(run, options, said, {made: "viewpoint"}, made.with_suffix(".png"), sheet)


def predict_sketches(run: TrainedRun, options: ObjectPredictionOptions) -> Outcome:
    """Find depth, normals and silhouette of the object in a picture; write them as .npz, or as a picture of them (.png).

    The picture lies beside an .npz, too. The arrays are of the square that the picture is cut to: ``depth`` (side, side), 1 at
    the nearest and 0 at the farthest place, without a scale; ``normal`` (3, side, side) in the camera's frame, right, down and
    ahead; ``silhouette`` (side, side). All are 0 where the object is not. Results go to the MLflow experiment sem3d-predictions.
    """
    made = out_file(options, ".npz", ".png")
    method = run.predictor()
    assert isinstance(method, ReconstructionSketches)
    image = seen_object(run, options)
    with torch.no_grad():
        found = cleaned(method.sketches(image[None])).float().cpu()
    check_found(options.image, object_found=bool(found[:, SILHOUETTE].any()))
    depth, normal, silhouette = found[0].split([1, 3, 1])
    files = {}
    if made.suffix.lower() == ".npz":
        files[made] = "sketches"
        arrays = {"depth": depth[0].numpy(), "normal": normal.numpy(), "silhouette": silhouette[0].numpy() > 0}
        with whole_file(made) as pending, pending.open("wb") as file:
            np.savez_compressed(file, **arrays)
    said = f"sketches   {made} ({silhouette.mean():.0%} of {len(silhouette[0])} x {len(silhouette[0])} pixels are the object's)"
    return outcome(run, options, said, files, made.with_suffix(".png"), picture_grid(seen_and_sketched(image, found)))


def predict_shape(run: TrainedRun, options: ShapePredictionOptions) -> Outcome:
    """Reconstruct the object in a picture by way of its sketches; write the mesh (.obj, .ply or .glb).

    The mesh is the surface of voxels, in ShapeNetCore's frame: y up, the front at -z, right-handed, its longest side about 1. The
    picture has what is seen, the predicted sketches, and the shape from four sides. Results go to the MLflow experiment
    sem3d-predictions.
    """
    made = out_file(options, *MESH_FORMATS)
    method = run.predictor()
    assert isinstance(method, Reconstruction)
    image = seen_object(run, options)
    with torch.no_grad():
        sketch = method.sketches(image[None])
        occupancy = method.occupancies(sketch)[0].float().cpu().numpy()
    check_found(options.image, object_found=bool(sketch[:, SILHOUETTE].any()))
    vertices, faces = voxel_mesh(occupancy, options.level or method.experiment.method.threshold)
    check_surface(options.image, faces)
    write_mesh(made, vertices, faces)
    columns = seen_and_sketched(image, sketch.float().cpu()) | turned(vertices, faces)
    said = f"shape      {made} ({len(vertices)} vertices, {len(faces)} faces)"
    return outcome(run, options, said, {made: "shape"}, made.with_suffix(".png"), picture_grid(columns))


def seen_object(run: TrainedRun, options: ObjectPredictionOptions) -> UInt8[Tensor, "3 side side"]:
    """Return the picture as the run's networks see it, on their device: cut so that its object is as large as in training.

    Raises :class:`UserError` for options out of bounds, and where neither they nor the data say how far the camera is.
    """
    check_bounds(options)
    distance = options.distance
    if not distance:
        try:
            distance = usual_distance(run.sources[TRAIN])
        except UserError as error:
            raise UserError(f"{error}; or name the distance of the camera with --distance, such as 2.4") from error
    cut, _ = cut_square(Path(options.image), distance, options.mask)
    return as_image(cut, run.experiment.data.size).to(chosen_device(run.experiment.run.device))


def as_picture(image: UInt8[Tensor, "3 side side"]) -> Picture:
    """Return what is seen as a picture."""
    return image.permute(1, 2, 0).cpu().numpy()


def seen_and_sketched(
    image: UInt8[Tensor, "3 side side"], sketch: Float[Tensor, "1 5 side side"]
) -> dict[str, list[Picture]]:
    """Return columns of pictures: what is seen, depth, normals and silhouette."""
    inside = sketch[0, SILHOUETTE].numpy() > 0
    silhouette = np.where(inside, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
    drawn = {name.strip(): own for name, own in sketch_pictures(sketch, "").items()}
    return {"seen": [as_picture(image)]} | drawn | {"silhouette": [silhouette]}


def turned(vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]) -> dict[str, list[Picture]]:
    """Return columns of pictures of a shape from four sides."""
    traced, polar = TracedMesh(vertices[faces]), float(np.deg2rad(SHOWN_POLAR))
    cameras = {
        name: ObjectCamera.at(float(np.deg2rad(azimuth)), polar, SHOWN_DISTANCE) for name, azimuth in SHOWN_FROM.items()
    }
    return {name: [shaded(traced, camera)] for name, camera in cameras.items()}


def check_found(image: str, *, object_found: bool) -> None:
    """Raise :class:`UserError` where no pixel of a picture is taken for the object."""
    if not object_found:
        raise UserError(
            f"{image}: no pixel is taken for the object, so there is nothing to reconstruct; cut the "
            "picture to its object with --mask, or train reconstruction_sketches longer"
        )


def check_surface(image: str, faces: Int[np.ndarray, "face 3"]) -> None:
    """Raise :class:`UserError` for a shape without a face."""
    if not len(faces):
        raise UserError(f"{image}: no voxel reaches the level of a surface, so nothing is seen there; lower --level")
