"""Shape, viewpoint, embedding and keypoints of the object in a user's picture, as files and a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sem3d.config import FilePath
from sem3d.datasets.objects.object_image import write_mesh
from sem3d.errors import UserError
from sem3d.files import whole_file, write_json
from sem3d.pipelines.pixel_semantics.drawing import understanding_sheet
from sem3d.pipelines.pixel_semantics.networks import PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.squares import Square, as_image, cut_square
from sem3d.pipelines.pixel_semantics.understanding import Understood, understand
from sem3d.pipelines.predicted_object import check_found, check_surface
from sem3d.pipelines.trained_run import Outcome
from sem3d.runs.device import chosen_device
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

ENDING = ".npz"


@dataclass(frozen=True, kw_only=True)
class UnderstandingOptions(PipelineOptions):
    """Options of the pipeline on a picture of one's own."""

    image: FilePath
    """Picture of one object: with an alpha channel it is cut to what is opaque, otherwise the object should be in its middle and
    about two thirds as long as the picture's longer side."""
    mask: FilePath = ""
    """Picture of the same size that is white on the object and black elsewhere, in the place of an alpha channel."""
    out: FilePath
    """Where the numbers go, ending in .npz; the shape (.obj), the keypoints (.json) and a picture (.png) go beside it."""


def predict_pixel_semantics(options: UnderstandingOptions) -> Outcome:
    """Reconstruct the object in a picture, find where it is seen from, and what every pixel of it means.

    The .npz holds ``embedding`` (dim, side, side), NaN where the object is not, and ``camera_from_object`` (4, 4), both of the
    square cut of the picture, whose place is in the .json with the keypoints in pixels of the whole picture. The sheet shows
    shape, viewpoint, embedding and keypoints as they are found, good or bad; it goes to the MLflow experiment sem3d-predictions.
    """
    made = Path(options.out)
    if made.suffix != ENDING:
        raise UserError(f"{made} must end in {ENDING}")
    print(f"loading     {options.shape}, {options.view}, {options.meaning}", flush=True)
    networks = load_networks(options, chosen_device(options.device))
    side = networks.reconstruction.experiment.data.size
    cut, square = cut_square(Path(options.image), networks.distance, options.mask)
    one = understand(networks, as_image(cut, side).to(chosen_device(options.device)), options)
    check_found(options.image, object_found=one.object_found)
    check_surface(options.image, one.faces)
    sheet = understanding_sheet([(torch.tensor(np.asarray(cut).transpose(2, 0, 1).copy()), one)], networks.told)
    files = {path: path.suffix[1:] for path in written(made, one, side, square)}
    shown = made.with_suffix(".png")
    with whole_file(shown) as pending:
        Image.fromarray(sheet).save(pending, format="PNG")
    made_by = {"shape": options.shape, "view": options.view, "meaning": options.meaning}
    store = LockedStore(Path(options.storage), options.tracking_uri)
    recorded = record_prediction(store, made_by, Path(options.image), files, (shown.name, sheet))
    seen = int(one.located(side)[1].sum())
    camera = one.camera
    azimuth, polar, roll = (float(torch.rad2deg(value)) for value in (camera.azimuth, camera.polar, camera.roll))
    return Outcome(
        lines=[
            f"shape      {made.with_suffix('.obj')} ({len(one.vertices)} vertices, {len(one.faces)} faces)",
            f"viewpoint  azimuth {azimuth % 360:.0f}, elevation {90 - polar:.0f}, roll {roll:.0f} degrees",
            f"keypoints  {made.with_suffix('.json')} ({seen} of {len(one.meanings)} in sight)",
            f"embedding  {made} ({one.embedding.shape[1]} dimensions on {side} x {side} pixels)",
            f"picture    {shown}",
            *networks.told,
            recorded,
        ]
    )


def written(made: Path, one: Understood, side: int, square: Square) -> list[Path]:
    """Write numbers, shape and keypoints; return their paths."""
    embedding, _ = one.pixels(side)
    with whole_file(made) as pending, pending.open("wb") as file:
        np.savez_compressed(file, embedding=embedding.astype(np.float32), camera_from_object=one.camera.transform())
    places, seen = one.located(side)
    keypoints = [
        {
            "semantic_id": int(meaning),
            "pixel": [float(u), float(v)],
            "visible": bool(visible),
            "xyz": [float(value) for value in xyz],
        }
        for meaning, (u, v), visible, xyz in zip(
            one.meanings, square.in_picture(places, side), seen, one.keypoints, strict=True
        )
    ]
    content = {"square": square._asdict(), "keypoints": keypoints}
    write_json(made.with_suffix(".json"), content)
    write_mesh(made.with_suffix(".obj"), one.vertices, one.faces)
    return [made, made.with_suffix(".json"), made.with_suffix(".obj")]
