"""The classes of the points in a file, as a painted PLY and a page with the cloud, that can be turned."""

from pathlib import Path

import numpy as np

from sem3d.datasets.scans.labelled_ply import labelled_rows, write_ply
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.evaluation.figures import prediction_sheet, seen_from_above
from sem3d.files import whole_file, write_text
from sem3d.methods.tasks.semantic_segmentation_3d import SHOWN_BELOW
from sem3d.pipelines.given_cloud import given_cloud, places_of, title_of
from sem3d.pipelines.options import CloudPredictionOptions
from sem3d.pipelines.point_classes import classes_of_points
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.reporting.page.cloud import cloud_page
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore


def predict_cloud(run: TrainedRun, options: CloudPredictionOptions) -> Outcome:
    """Find the class of each point of a coloured PLY; write it painted, with classes as ``label``, and a page that shows it.

    Labels are NYU40 ids, ids of the run's own classes, or, of a run that knows those of S3DIS, numbers 1 to 13. Points are in
    metres, z up, as ScanNet's. They are turned about the vertical as often as the run's evaluation turns them.
    Results go to the MLflow experiment sem3d-predictions.
    """
    given, made = Path(options.cloud), Path(options.out)
    page = places_of(given, made, ".ply")
    points, colors, faces = given_cloud(given)
    data = run.experiment.data
    known = label_set_of(data)
    names, ids, palette = known.names, np.array(known.ids, np.uint8), known.palette
    print(f"finding the classes of {len(points)} points, turned {data.evaluation_turns} times", flush=True)
    store = LockedStore(Path(options.storage), options.tracking_uri)
    classes = classes_of_points(run.predictor(), str(given), points, colors)
    with whole_file(made) as pending:
        write_ply(pending, labelled_rows(points, palette[classes], ids[classes]), faces)
    write_text(page, cloud_page(title_of(given), points, colors, classes.astype(np.int64), palette, names))
    cell = data.voxel_size
    voxel = np.floor((points - points.min(axis=0)) / cell).astype(np.int64)
    above = [seen_from_above(voxel, values, SHOWN_BELOW / cell) for values in (colors, classes)]
    picture = prediction_sheet([above[0]], [above[1]], [above[1]], palette, names)
    made_by = {"model": options.run, "weights": str(run.weights)}
    found = np.unique(classes)
    return Outcome(
        lines=[
            f"cloud      {made} ({len(points)} points, {len(found)} classes)",
            f"page       {page}: turn it in a browser",
            record_prediction(store, made_by, given, {made: "cloud", page: "cloud"}, ("from_above.png", picture)),
        ]
    )
