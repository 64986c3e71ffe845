"""Features of the points in a file, as numbers, as a cloud coloured by them, and a page with the cloud, that can be turned."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8

from sem3d.datasets.keypoint_clouds import in_unit_box
from sem3d.datasets.objects.pcd import read_pcd
from sem3d.datasets.scans.labelled_ply import painted_rows, write_ply
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.figures import pca_features, seen_from_above
from sem3d.evaluation.figures.cloud_views import draw_cloud
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.files import whole_file, write_text
from sem3d.geometry.object_camera import Z_UP_FROM_Y_UP
from sem3d.methods.keypoint_embedding import KeypointEmbedding
from sem3d.methods.pointcontrast import SHOWN_BELOW
from sem3d.pipelines.given_cloud import given_cloud, places_of, title_of
from sem3d.pipelines.options import CloudPredictionOptions, ObjectCloudPredictionOptions
from sem3d.pipelines.point_classes import features_of_points
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.reporting.page.cloud import painted_page
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

SIDE = 320
GREY = 160


def predict_point_features(run: TrainedRun, options: CloudPredictionOptions) -> Outcome:
    """Compute the features that the 3D network gives the points of a coloured PLY, which tasks with labels start from; write them
    as .npz: ``feature`` (point, dim), not normalised.

    Points are in metres, z up, as ScanNet's; those of one voxel share a feature. Beside it lie the points in colours of the three
    strongest components of the features (.ply), and a page that shows them (.html). Results go to the MLflow experiment
    sem3d-predictions.
    """
    given, made = Path(options.cloud), Path(options.out)
    painted = painted_place(given, made)
    points, colors, faces = given_cloud(given)
    print(f"computing features of {len(points)} points", flush=True)
    voxel, rows, features = features_of_points(run.predictor(), str(given), points, colors)
    paint = pca_features([features.T[:, None]])[0][0][rows]
    _, first = np.unique(rows, return_index=True)
    cut = SHOWN_BELOW / run.experiment.data.voxel_size
    above = {
        name: [seen_from_above(voxel, of_point[first], cut)]
        for name, of_point in (("colours", colors), ("features by PCA", paint))
    }
    write_painted(painted, points, paint, faces)
    write_text(painted.with_suffix(".html"), painted_page(title_of(given), points, colors, paint))
    return written(run, options, features[rows], picture_grid(above, side=SIDE))


def predict_meanings(run: TrainedRun, options: ObjectCloudPredictionOptions) -> Outcome:
    """Embed the points of one object; points that mean the same on different objects are near each other. Write the embedding as
    .npz: ``feature`` (point, dim).

    Points are in ShapeNetCore's frame, y up, the front at -z, as KeypointNet's, of any size. Beside it lie the points in colours
    of the three strongest components of the embedding (.ply), and a page that shows them (.html). Results go to the MLflow
    experiment sem3d-predictions.
    """
    given, made = Path(options.cloud), Path(options.out)
    painted = painted_place(given, made)
    points, colors, faces = given_object(given)
    method = run.predictor()
    assert isinstance(method, KeypointEmbedding)
    seen = torch.tensor(in_unit_box(points), dtype=torch.float32, device=next(method.parameters()).device)
    with torch.no_grad():
        features = method.embedding(seen[None])[0].float().cpu().numpy()
    paint = pca_features([features.T[:, None]])[0][0]
    write_painted(painted, points, paint, faces)
    upright = points @ Z_UP_FROM_Y_UP.T
    write_text(painted.with_suffix(".html"), painted_page(title_of(given), upright, colors, paint))
    return written(run, options, features, draw_cloud(points, paint))


def painted_place(given: Path, made: Path) -> Path:
    """Return the place of the painted points; raises :class:`UserError` for a wrong ending and where it is the cloud itself."""
    places_of(given, made, ".npz")
    painted = made.with_suffix(".ply")
    places_of(given, painted, ".ply")
    return painted


def given_object(
    given: Path,
) -> tuple[Float[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"], Int[np.ndarray, "face 3"] | None]:
    """Return points, colours (grey where there are none) and faces of one object; raises :class:`UserError`."""
    try:
        if given.suffix.lower() == ".pcd":
            points, colors = read_pcd(given)
            faces = None
        else:
            points, colors, _, faces = read_scene_mesh(given)
            points = points.astype(np.float64)
        if not len(points):
            raise BadSample(str(given), "has no point")
        in_unit_box(points)
    except BadSample as error:
        raise UserError(f"{given}: {error.reason}") from error
    return points, np.full((len(points), 3), GREY, np.uint8) if colors is None else colors, faces


def write_painted(
    path: Path,
    points: Float[np.ndarray, "point 3"],
    paint: UInt8[np.ndarray, "point 3"],
    faces: Int[np.ndarray, "face 3"] | None,
) -> None:
    """Write points in colours as a PLY."""
    with whole_file(path) as pending:
        write_ply(pending, painted_rows(points, paint), faces)


def written(
    run: TrainedRun,
    options: CloudPredictionOptions | ObjectCloudPredictionOptions,
    features: Float32[np.ndarray, "point dim"],
    picture: UInt8[np.ndarray, "height width 3"],
) -> Outcome:
    """Write the features, record them with what lies beside them, and return what is said."""
    made = Path(options.out)
    with whole_file(made) as pending, pending.open("wb") as file:
        np.savez(file, feature=features)
    painted, page = made.with_suffix(".ply"), made.with_suffix(".html")
    made_by = {"model": options.run, "weights": str(run.weights)}
    store = LockedStore(Path(options.storage), options.tracking_uri)
    files = {made: "features", painted: "cloud", page: "cloud"}
    return Outcome(
        lines=[
            f"features   {made} ({len(features)} points, {features.shape[1]} dimensions)",
            f"cloud      {painted}",
            f"page       {page}: turn it in a browser",
            record_prediction(store, made_by, Path(options.cloud), files, ("features.png", picture)),
        ]
    )
