"""The three trained networks of the pipeline, and the mean embedding of each keypoint's meaning."""

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from jaxtyping import Float, Int

from sem3d.bounds import Share
from sem3d.config import NAMED_WEIGHTS, StorageFolder, StoreAddress, override
from sem3d.datasets.keypoint_clouds import ABSENT, LoadModel
from sem3d.datasets.objects.keypointnet import CLASSES
from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, first_reasons
from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.object_camera import viewpoint_of
from sem3d.methods.keypoint_embedding import KeypointEmbedding
from sem3d.methods.method import TRAIN
from sem3d.methods.pixel_semantics import PipelineSettings
from sem3d.methods.reconstruction.method import Reconstruction
from sem3d.methods.viewpoint import Viewpoint
from sem3d.networks.point_groups import take_rows
from sem3d.pipelines.loaded_model import fetched_folder
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.runs.checkpoint import CHECKPOINTS
from sem3d.runs.stored_run import stored_experiment

logger = logging.getLogger(__name__)

MODELS_LOOKED_AT = 300
"""Training models that the mean of a meaning is over, evenly chosen."""
LEAST_SHARE = 0.02
"""Of the models: a meaning that fewer have is not looked for."""


@dataclass(frozen=True, kw_only=True)
class PipelineOptions(PipelineSettings):
    """Options of the pipeline: its three runs, and how a viewpoint is refined."""

    shape: str
    """Run of reconstruction: a folder, or a registered model."""
    view: str
    """Run of viewpoint."""
    meaning: str
    """Run of keypoint_embedding; its data must be where they were, for the mean of each meaning."""
    device: Annotated[Literal["auto", "cpu", "gpu"], tyro.conf.arg(name="run.device")] = "auto"
    """auto takes the GPU where this machine has one."""
    quarantine_limit: Share = 0.1
    """Largest share of the training models of the meaning, and of the pictures that are scored, that may be unusable."""
    storage: Annotated[StorageFolder, tyro.conf.arg(name="run.storage")] = "runs"
    """Folder of indexes, of pictures, of fetched models and of the default MLflow store."""
    tracking_uri: Annotated[StoreAddress, tyro.conf.arg(name="run.tracking-uri")] = ""
    """MLflow server or store; empty: MLFLOW_TRACKING_URI, else a SQLite file in run.storage."""


@dataclass(frozen=True)
class Networks:
    """Everything that is trained."""

    reconstruction: Reconstruction
    viewpoint: Viewpoint
    embedding: KeypointEmbedding
    meanings: Int[np.ndarray, " meaning"]
    """Semantic ids that are looked for."""
    means: Float[np.ndarray, "meaning dim"]
    """The mean embedding of each over the training models that have it."""
    distance: float
    """Of the camera at first."""
    told: tuple[str, ...]
    """A line on the run of each part, for pictures."""


def load_networks(options: PipelineOptions, device: torch.device) -> Networks:
    """Load the three runs onto a device.

    Raises :class:`UserError` for a run of another method or without its data, and for runs on different classes.
    """
    shape = trained(options, options.shape, "reconstruction")
    view = trained(options, options.view, "viewpoint")
    meaning = trained(options, options.meaning, "keypoint_embedding")
    check_classes(shape, view, meaning)
    reconstruction, viewpoint, embedding = (one.build(with_data=False).to(device) for one in (shape, view, meaning))
    assert isinstance(reconstruction, Reconstruction)
    assert isinstance(viewpoint, Viewpoint)
    assert isinstance(embedding, KeypointEmbedding)
    meanings, means = mean_embeddings(embedding, meaning.sources[TRAIN], device, options.quarantine_limit)
    distance = options.distance or usual_distance(view.sources[TRAIN])
    told = tuple(line_on(run) for run in (shape, view, meaning))
    return Networks(reconstruction, viewpoint, embedding, meanings, means, distance, told)


def check_classes(*runs: TrainedRun) -> None:
    """Raise :class:`UserError` where runs name different classes of ShapeNet; one that names none, or another, is of any."""
    synsets = {name: synset for synset, name in CLASSES.items()} | SYNSETS
    named = {run.method: run.experiment.data.category.lower() for run in runs}
    known = {method: synsets.get(name, name) for method, name in named.items() if name in {*synsets, *synsets.values()}}
    if len(set(known.values())) > 1:
        shown = ", ".join(f"{method} '{named[method]}'" for method in known)
        raise UserError(f"the runs are of different classes, {shown}: name three of one class")


def line_on(run: TrainedRun) -> str:
    """Return which run a part comes from, after how many steps, and that its sketches were never trained where so."""
    parts = [part for part in run.weights.parent.parts if part != CHECKPOINTS]
    step = re.fullmatch(r"step-0*([0-9]+)", parts[-1])
    after = f", step {step[1]}, batches of {run.experiment.run.batch_size}" if step else ""
    blind = run.method == "reconstruction" and run.experiment.init in NAMED_WEIGHTS
    unseeing = "; its 2.5D sketches are of random weights" if blind else ""
    return f"{run.method}: {parts[-2] if step else parts[-1]}{after}{unseeing}"


def trained(options: PipelineOptions, run: str, method: str) -> TrainedRun:
    """Return a run; raises :class:`UserError` where it is of another method."""
    folder = fetched_folder(run, Path(options.storage), options.tracking_uri)
    name, experiment = stored_experiment(folder)
    if name != method:
        raise UserError(f"{run} is a run of {name}: name one of {method}")
    return TrainedRun(folder, name, override(experiment, {"run.storage": options.storage}))


@torch.no_grad()
def mean_embeddings(
    embedding: KeypointEmbedding, samples: Samples, device: torch.device, limit: float
) -> tuple[Int[np.ndarray, " meaning"], Float[np.ndarray, "meaning dim"]]:
    """Return the meanings that enough training models have, and the mean embedding of each over models as they are.

    Raises :class:`UserError` where more than ``limit`` of the models cannot be read.
    """
    load = samples.load
    assert isinstance(load, LoadModel)
    plain = replace(load, augment=False)
    total = samples.table.num_rows
    chosen = np.unique(np.linspace(0, max(total - 1, 0), min(total, MODELS_LOOKED_AT)).round().astype(int))
    sums: dict[int, np.ndarray] = {}
    counts: dict[int, int] = {}
    report = QuarantineReport()
    for row in samples.table.take(chosen).to_pylist():
        try:
            model = plain(row, np.random.default_rng(0))
        except BadSample as fault:
            report.items.append(Quarantined.of(fault))
            continue
        points, rows = (torch.tensor(model[name])[None].to(device) for name in ("point", "keypoint"))
        values = take_rows(embedding.embedding(points), rows.clamp(min=0))[0].double().cpu().numpy()
        for value, meaning in zip(values, model["meaning"].tolist(), strict=True):
            if meaning != ABSENT:
                sums[meaning] = sums.get(meaning, 0) + value
                counts[meaning] = counts.get(meaning, 0) + 1
    check_limit(report, len(chosen), limit, None)
    if report.items:
        logger.warning("%d training models of the meaning cannot be used: %s", len(report), first_reasons(report))
    models = len(chosen) - len(report)
    kept = sorted(meaning for meaning, count in counts.items() if count >= LEAST_SHARE * models)
    if not kept:
        raise UserError(f"no keypoint is on {LEAST_SHARE:.0%} of the training models of the keypoint embedding")
    return np.array(kept), np.stack([sums[meaning] / counts[meaning] for meaning in kept])


def usual_distance(samples: Samples) -> float:
    """Return the mean distance of the object's middle before the camera."""
    poses = np.array(samples.table["pose"].to_pylist()).reshape(-1, 4, 4)
    return float(np.mean([viewpoint_of(pose)[2][2] for pose in poses]))
