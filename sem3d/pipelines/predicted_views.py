"""An object inferred from one picture whose camera is known: new views of its colours and parts, and a cloud of its points."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sem3d.bounds import check_bounds
from sem3d.config import OptimizerConfig
from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.datasets.objects.srn_cameras import read_intrinsics, read_pose
from sem3d.datasets.objects.srn_layout import read_labels, read_picture, same_size, squared
from sem3d.datasets.posed_rays import over_white, pixel_centres, squared_intrinsics
from sem3d.datasets.posed_views import PosedViews
from sem3d.errors import BadSample, UserError
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.losses import scene_losses
from sem3d.methods.semantic_srn.novel_views import (
    VIEWS_OF_A_STRIP,
    around,
    strip,
    write_products,
    write_turn,
)
from sem3d.methods.semantic_srn.scene_task import SceneTask
from sem3d.networks.srn.latent_table import LatentTable
from sem3d.pipelines.options import ViewPredictionOptions
from sem3d.pipelines.trained_run import Outcome, TrainedRun
from sem3d.tracking.prediction import record_prediction
from sem3d.tracking.store import LockedStore

RAYS_OF_A_STEP = 1024
FRAMES = 24
"""Of a turn around the object."""


def predict_views(run: TrainedRun, options: ViewPredictionOptions) -> Outcome:
    """Infer an object from a picture, its mask, or both; write the points of its surface, a strip of new views and a turn
    around it, labelled where the run knows parts. With --towards the object becomes another one while the camera turns.

    Picture, cloud, strip and turn go to the MLflow experiment sem3d-predictions.
    """
    check_bounds(options)
    given, made = Path(options.image), Path(options.out)
    if made.suffix.lower() != ".ply":
        raise UserError(f"{made} must end in .ply")
    method = run.predictor()
    assert isinstance(method, SceneTask)
    if options.mask and method.segmentation is None:
        raise UserError(f"--mask: {options.run} knows no parts; name a run that learnt from masks, or leave it out")
    if not options.color and not options.mask:
        raise UserError("--no-color leaves nothing to infer from: give --mask too")
    store = LockedStore(Path(options.storage), options.tracking_uri)
    print(f"inferring the object of {given}: {options.steps} steps of {RAYS_OF_A_STEP} rays", flush=True)
    latent = inferred(method, run.experiment.data, options, given)
    latents = latent
    if options.towards:
        print(f"inferring the object of {options.towards}", flush=True)
        other = inferred(method, run.experiment.data, options, Path(options.towards))
        latents = torch.lerp(latent, other, torch.linspace(0, 1, FRAMES)[:, None].to(latent))
    views = around(method, latent, options.side, VIEWS_OF_A_STRIP)
    picture, cloud = write_products(views, made.with_suffix(""), ())
    turns, missing = write_turn(around(method, latents, options.side, FRAMES), made.with_suffix(""))
    files = {cloud: "cloud"} | dict.fromkeys(turns, "turn")
    made_by = {"model": options.run, "weights": str(run.weights)}
    return Outcome(
        lines=[
            f"cloud      {cloud} ({int(views.seen.sum())} points)",
            f"strip      {picture}",
            *(f"turn       {turn}" for turn in turns),
            *([missing] if missing else []),
            record_prediction(store, made_by, given, files, ("strip.png", strip(views, ()))),
        ]
    )


def inferred(
    method: SceneTask, data: PosedViews, options: ViewPredictionOptions, picture: Path
) -> Float[Tensor, "1 latent"]:
    """Return the latent that explains a picture best, from a new one on, with the networks as they are."""
    try:
        whole = batch_of(method, data, options, picture)
    except BadSample as error:
        raise UserError(f"{error.source} {error.reason}") from error
    method.keep_as_they_start(method)
    torch.manual_seed(0)
    table = LatentTable(1, method.latents.weight.shape[1]).to(method.latents.weight)
    optimizer = build_optimizer(table.parameters(), OptimizerConfig(kind="adam", lr=options.lr))
    modalities = ("image",) * options.color + ("label",) * bool(options.mask)
    for _ in range(options.steps):
        batch = some_rays(whole, RAYS_OF_A_STEP)
        views = method.render(table(batch.instance), batch)
        losses = scene_losses(views, batch, method.experiment.method.weights, modalities)
        optimizer.zero_grad()
        torch.stack([*losses.values()]).sum().backward()
        optimizer.step()
    return table.weight.detach()


def batch_of(method: SceneTask, data: PosedViews, options: ViewPredictionOptions, picture: Path) -> SemanticSRNBatch:
    """Return all rays of one picture, cut and scaled as the training data are; raises :class:`BadSample`."""
    first = picture == Path(options.image)  # the camera of another picture is where the layout has it
    pose = Path(options.pose) if first and options.pose else picture.parent.parent / "pose" / f"{picture.stem}.txt"
    camera_file = Path(options.intrinsics) if first and options.intrinsics else intrinsics_of(picture)
    for path, option in ((pose, "--pose"), (camera_file, "--intrinsics")):
        if not path.is_file():
            raise UserError(f"{picture}: there is no {path}; name the file with {option}")
    image, labels = read_picture(picture), None
    camera = read_intrinsics(camera_file)
    if first and options.mask:
        assert method.segmentation is not None
        labels = read_labels(Path(options.mask), method.segmentation.answers)
        same_size(Path(options.mask), labels.shape, image.shape[:2])
    row = {
        "height": image.shape[0],
        "width": image.shape[1],
        "intrinsics": camera.of_pictures(str(camera_file), image.shape[:2]),
    }
    image, labels = squared(image, labels, data.size)
    color, alpha = over_white(image.reshape(-1, 4), data.transparent)
    places = np.arange(data.size**2)
    label = np.full(len(places), UNKNOWN) if labels is None else labels.reshape(-1)
    columns = {
        "intrinsics": squared_intrinsics(row, data.size),
        "world_from_camera": read_pose(pose, camera.inverse)[None],
        "pixels": pixel_centres(places, data.size)[None],
        "color": color[None],
        "alpha": alpha[None],
    }
    found = {name: torch.tensor(values, dtype=torch.float32)[None] for name, values in columns.items()}
    device = method.latents.weight.device
    found |= {"label": torch.tensor(label.astype(np.int64))[None, None], "instance": torch.zeros(1, dtype=torch.int64)}
    return SemanticSRNBatch(**{name: values.to(device) for name, values in found.items()})


def intrinsics_of(picture: Path) -> Path:
    """Return the intrinsics of a picture in SRN's layout: its object's own, else those of the split."""
    own = picture.parent.parent / "intrinsics.txt"
    return own if own.is_file() else own.parent.parent / own.name


def some_rays(batch: SemanticSRNBatch, count: int) -> SemanticSRNBatch:
    """Return a random choice of the rays of a batch of one object."""
    chosen = torch.randperm(batch.pixels.shape[2])[:count]
    parts = {name: getattr(batch, name)[:, :, chosen] for name in ("pixels", "color", "alpha", "label")}
    return SemanticSRNBatch(batch.instance, batch.intrinsics, batch.world_from_camera, **parts)
