"""Boxes around the objects in a file's points, as JSON and a page with the cloud, that can be turned."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int

from sem3d.datasets.scans.instances import FIRST_OBJECT
from sem3d.datasets.scans.labels import class_palette
from sem3d.evaluation.figures import DrawnBoxes, DrawnScene, box_sheet
from sem3d.files import write_json, write_text
from sem3d.geometry.boxes import inside
from sem3d.methods.tasks.object_detection_3d import SHOWN_ABOVE, SHOWN_BELOW, ObjectDetection3D
from sem3d.pipelines.given_cloud import given_cloud, places_of, title_of
from sem3d.pipelines.options import CloudPredictionOptions
from sem3d.pipelines.point_boxes import boxes_of_points, described_boxes
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.reporting.page.cloud import cloud_page
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

NOTHING = "in no box"
PLAIN = np.array([[110, 110, 110]], np.uint8)
"""Colour of points in no box."""


def predict_boxes(run: TrainedRun, options: CloudPredictionOptions) -> Outcome:
    """Find the boxes around the objects in a coloured PLY; write them as JSON (.json), and a page that shows them.

    Points are in metres, z up; a run that learnt from ScanNet's scenes wants the walls along x and y, as its files of axis
    alignment turn them. Each box has its centre, its full lengths along its own axes, metres, its turn about the vertical
    (``heading``, radians), its likeliest class, its objectness, and its score, which is objectness times the probability of
    the class; boxes come by falling objectness. The page draws those of objectness 0.5 or more. Results go to the MLflow
    experiment sem3d-predictions.
    """
    given, made = Path(options.cloud), Path(options.out)
    page = places_of(given, made, ".json")
    points, colors, _ = given_cloud(given)
    print(f"finding the boxes of {len(points)} points", flush=True)
    store = LockedStore(Path(options.storage), options.tracking_uri)
    method = run.predictor()
    assert isinstance(method, ObjectDetection3D)
    boxes, scores = boxes_of_points(method, str(given), points, colors)
    named, objectness = scores.argmax(axis=1), scores.sum(axis=1)
    listed = described_boxes((boxes, scores), method.classes.names)
    write_json(made, {"cloud": title_of(given), "classes": list(method.classes.names), "boxes": listed})
    likely = np.flatnonzero(objectness >= SHOWN_ABOVE)
    shown = (boxes[likely], named[likely].astype(np.int64))
    palette, names = np.concatenate([PLAIN, class_palette()[FIRST_OBJECT:]]), (NOTHING, *method.classes.names)
    held = held_by(points, *shown)
    write_text(page, cloud_page(title_of(given), points, colors, held, palette, names, (shown[0], shown[1] + 1)))
    cell = run.experiment.data.voxel_size
    voxel = np.floor(points / cell).astype(np.int64)
    drawn = DrawnScene(voxel, colors, DrawnBoxes(*shown), DrawnBoxes(*shown))
    picture = box_sheet([drawn], cell, SHOWN_BELOW, palette[1:], method.classes.names)
    made_by = {"model": options.run, "weights": str(run.weights)}
    return Outcome(
        lines=[
            f"boxes      {made} ({len(boxes)} boxes, {len(likely)} of them likely)",
            f"page       {page}: turn it in a browser",
            record_prediction(store, made_by, given, {made: "boxes", page: "cloud"}, ("from_above.png", picture)),
        ]
    )


def held_by(
    points: Float32[np.ndarray, "point 3"], boxes: Float[np.ndarray, "box 7"], named: Int[np.ndarray, " box"]
) -> Int[np.ndarray, " point"]:
    """Return of each point one more than the class of the first box that holds it, 0 where none does."""
    held = np.zeros(len(points), np.int64)
    for box, number in zip(boxes[::-1], named[::-1], strict=True):
        held[inside(points, box)] = number + 1
    return held
