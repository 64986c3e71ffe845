"""Features and labels that the networks of scenes find in a picture, as files, with a picture beside them and in MLflow."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.errors import UserError
from sem3d.evaluation.figures import feature_sheet, overlay_sheet
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.files import whole_file
from sem3d.pipelines.given_picture import object_picture, scene_picture
from sem3d.pipelines.loaded_model import Model
from sem3d.pipelines.options import ObjectPredictionOptions, PartsPredictionOptions, ScenePredictionOptions
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.runs.device import chosen_device
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

PictureOptions = ScenePredictionOptions | PartsPredictionOptions | ObjectPredictionOptions


def predict_features(run: TrainedRun, options: ScenePredictionOptions) -> Outcome:
    """Compute dense features of a picture; write them as .npy (float32: dim, row, column), or as a .png of colours by PCA.

    The picture of colours lies beside a .npy, too. Both go to the MLflow experiment sem3d-predictions.
    """
    made = out_file(options, ".npy", ".png")
    colors = scene_picture(options.image)
    found = model_of(run).features(colors)
    sheet = feature_sheet([colors], [found])
    files = {}
    if made.suffix.lower() == ".npy":
        files[made] = "features"
        with whole_file(made) as pending, pending.open("wb") as file:
            np.save(file, found, allow_pickle=False)
    dim, rows, columns = found.shape
    said = f"features   {made} ({dim} dimensions on {rows} x {columns} cells)"
    return outcome(run, options, said, files, made.with_suffix(".png"), sheet)


def predict_labels(run: TrainedRun, options: ScenePredictionOptions) -> Outcome:
    """Find the class of each pixel of a picture; write them as a .png of NYU40 ids, as ScanNet's label images have them, or
    of the ids of the run's own classes.

    A picture of them over the image, with a legend, lies beside it, ending in .overlay.png. Both go to the MLflow experiment
    sem3d-predictions.
    """
    made = out_file(options, ".png")
    colors = scene_picture(options.image)
    labels = model_of(run).segment(colors)
    classes = label_set_of(run.experiment.data)
    write_picture(made, np.array(classes.ids, np.uint8)[labels])
    return labelled(run, options, made, labels, overlay_sheet(colors, labels, classes.palette, classes.names))


def predict_parts(run: TrainedRun, options: PartsPredictionOptions) -> Outcome:
    """Find the part that each pixel of a picture of one object shows; write them as a .png of class numbers, 0 the background.

    A picture of them over the image, with a legend, lies beside it, ending in .overlay.png; the names of the parts are those of
    the run's data, where these are still there. Both go to the MLflow experiment sem3d-predictions.
    """
    made = out_file(options, ".png")
    image, model = object_picture(options.image), model_of(run)
    labels = model.segment(options.image)
    write_picture(made, labels)
    opacity = image[..., 3:] / 255
    colors = np.rint(image[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    sheet = overlay_sheet(colors, labels, part_palette(len(model.classes)), model.classes)
    return labelled(run, options, made, labels, sheet)


def labelled(
    run: TrainedRun,
    options: ScenePredictionOptions | PartsPredictionOptions,
    made: Path,
    labels: UInt8[np.ndarray, "height width"],
    sheet: UInt8[np.ndarray, "_ _ 3"],
) -> Outcome:
    """Write the picture of labels that are written, record both, and return what is said."""
    said = f"labels     {made} ({len(np.unique(labels))} classes)"
    return outcome(run, options, said, {made: "labels"}, made.with_suffix(".overlay.png"), sheet)


def model_of(run: TrainedRun) -> Model:
    """Return the run as a model on the device that ``run.device`` chooses."""
    return Model(run.method, run.folder, chosen_device(run.experiment.run.device), run.predictor(), run.experiment)


def out_file(options: PictureOptions, *endings: str) -> Path:
    """Return where the result goes; raises :class:`UserError` for another ending, and for the picture itself."""
    made = Path(options.out)
    if made.suffix.lower() not in endings:
        raise UserError(f"{made} must end in {' or '.join(endings)}")
    if made.with_suffix(".png").resolve() == Path(options.image).resolve():
        raise UserError(f"{made.with_suffix('.png')} is the picture itself: name another file in --out")
    return made


def write_picture(path: Path, pixels: UInt8[np.ndarray, "height width *channel"]) -> None:
    """Write a PNG, whole or not at all."""
    with whole_file(path) as pending:
        Image.fromarray(pixels).save(pending, format="PNG")


def outcome(
    run: TrainedRun,
    options: PictureOptions,
    said: str,
    files: dict[Path, str],
    shown: Path,
    sheet: UInt8[np.ndarray, "height width 3"],
) -> Outcome:
    """Write the picture of a result, record all of it, and return what is said."""
    write_picture(shown, sheet)
    made_by = {"model": options.run, "weights": str(run.weights)}
    store = LockedStore(Path(options.storage), options.tracking_uri)
    recorded = record_prediction(store, made_by, Path(options.image), files, (shown.name, sheet))
    return Outcome(lines=[said, f"picture    {shown}", recorded])
