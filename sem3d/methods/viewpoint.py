"""viewpoint: azimuth and elevation of the camera from one picture (2D-3D-2D, section 4.3), or from 2.5D sketches (Table 5).

Bins are learnt: 24 round the circle and 12 from above to below. Presets: ``paper`` classifies, hard labels and cross entropy;
``released`` is SemanticTransfer's ``viewpoint.py``: each label is shared between two bins, the Kullback-Leibler divergence, and
the answer is the mean over all bins. ``laptop`` is a small network on 64 pixels for two CPU cores, with soft labels, whose answer
is the mean about the best bin. Unlike the released code, the network learns nothing else: there its encoder predicts 2.5D
sketches beside. ``method.sees`` chooses the ablation: ``sketches`` are those that a run of ``reconstruction_sketches`` predicts,
named in ``--init``, and ``true_sketches`` the data's own, a bound for what sketches can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sem3d.config import NAMED_WEIGHTS, Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.sketched_views import SKETCH_CHANNELS, Column, SketchedViews, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures.dials import viewpoint_dials
from sem3d.evaluation.viewpoints import viewpoint_scores
from sem3d.geometry.viewpoint_bins import AZIMUTH, POLAR, AngleBins, Decoding, Labels, angle_between
from sem3d.losses.bin_divergence import bin_divergence
from sem3d.losses.segmentation import global_mean
from sem3d.methods.initial_parts import load_parts, part_of, read_safetensors, refuse_without
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import Found, Method, Record, Sources
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.sketch_network import SketchNetwork, SketchNetworkConfig, cleaned
from sem3d.networks.viewpoint_network import ViewpointNetwork, ViewpointNetworkConfig

SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ViewpointConfig:
    """The network, what it sees, and what its bins should say."""

    network: ViewpointNetworkConfig = field(default_factory=ViewpointNetworkConfig)
    """Encoder and layers."""
    sees: Literal["image", "sketches", "true_sketches"] = "image"
    """The picture, or its 2.5D sketches as ``sketcher`` predicts them, or the true ones."""
    sketcher: SketchNetworkConfig = field(default_factory=SketchNetworkConfig)
    """Network that predicts sketches, which stays as it is."""
    labels: Labels = "hard"
    """hard: the angle's own bin (paper). soft: shared between two bins (released)."""
    decoding: Decoding = "bin"
    """bin: the centre of the best bin (paper). peak: the mean over it and its neighbours. mean: over all bins (released)."""


@dataclass(frozen=True)
class ViewpointBatch:
    """Pictures or sketches, and where they were taken from."""

    angles: Float[Tensor, "item 2"]
    """Azimuth and polar angle, radians."""
    middle: Float[Tensor, "item 3"]
    """The object's middle in the camera's frame."""
    usable: UInt8[Tensor, " item"]
    image: UInt8[Tensor, "item 3 side side"] | None = None
    sketch: Float[Tensor, "item 5 side side"] | None = None


def paper() -> Experiment:
    """Return the setting of sections 4.3 and 4.6.3: classification, Adam 1e-3; 100 epochs of 17,500 views of 16 a step."""
    return Experiment(
        method=ViewpointConfig(),
        data=SketchedViews(),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=0, epochs=100.0, decay="constant"),
        run=RunConfig(batch_size=16, checkpoint_every=5000, evaluate_epochs=5.0),
        init="imagenet",
    )


def released() -> Experiment:
    """Return the setting of SemanticTransfer's viewpoint.py: soft labels, the mean over all bins, 625,000 steps."""
    changes = {"method.labels": "soft", "method.decoding": "mean"}
    return override(paper(), changes | {"schedule.steps": 625_000, "schedule.epochs": 0.0, "init": "scratch"})


def laptop() -> Experiment:
    """Return a setting for some minutes on two CPU cores."""
    return Experiment(
        method=ViewpointConfig(
            network=ViewpointNetworkConfig(encoder="efficientnet_lite0", hidden=(64,)),
            sketcher=SketchNetworkConfig(encoder="efficientnet_lite0", width=64),
            labels="soft",
            decoding="peak",
        ),
        data=SketchedViews(size=64, voxels=32, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=400, warmup=10, decay="cosine"),
        run=RunConfig(batch_size=32, checkpoint_every=100, evaluate_every=100),
        init="imagenet",
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, 2000 steps of 64 pictures."""
    return longer_on_gpu(laptop(), steps=2000, batch_size=64, checkpoint_every=500)


class Viewpoint(Method):
    """An image encoder and the bins of two angles."""

    Config = ViewpointConfig
    Data = SketchedViews
    Batch = ViewpointBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("viewpoint_accuracy", "max")
    label_budget = "data.budget"
    handed_on = ("method.sketcher.",)
    marks = "sem3d.methods.frequent_viewpoint:marks"
    prediction = "sem3d.pipelines.predicted_object:predict_viewpoint"

    def __init__(self, experiment: Experiment[ViewpointConfig, SketchedViews], sources: Sources | None = None):
        super().__init__(experiment, sources)
        config = experiment.method
        self.viewpoint = ViewpointNetwork(config.network, 3 if config.sees == "image" else SKETCH_CHANNELS)
        if config.sees == "sketches":
            self.sketcher = SketchNetwork(config.sketcher).requires_grad_(False)

    @classmethod
    def sources(cls, experiment: Experiment[ViewpointConfig, SketchedViews]) -> dict[str, Samples]:
        """Open views of training objects, of val and of test."""
        seen: Column = "sketch" if experiment.method.sees == "true_sketches" else "image"
        return sketched_sources(experiment.data, experiment.run.storage, (seen, "viewpoint"))

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, from an encoder's weights, or from the parts of a run that this method has too."""
        if source.endswith(".safetensors"):
            stored = read_safetensors(Path(source))
            if {part_of(name) for name in stored} & {name for name, _ in self.named_children()}:
                return load_parts(self, stored, source, without)
        refuse_without(source, without)
        if self.experiment.method.sees == "image":
            return load_encoder(self.viewpoint.encoder, source, self)
        if source not in NAMED_WEIGHTS:
            raise UserError(f"--init {source}: sketches start from a run of reconstruction_sketches, or from scratch")
        blind = "; sketches are those of random weights" if self.experiment.method.sees == "sketches" else ""
        return load_encoder(self.viewpoint.encoder, "scratch", self) + blind

    def scores(self, batch: ViewpointBatch) -> tuple[Float[Tensor, "item 24"], Float[Tensor, "item 12"]]:
        """Return the scores of the bins of both angles."""
        if batch.sketch is not None:
            return self.viewpoint(batch.sketch)
        assert batch.image is not None
        image = normalise_images(batch.image)
        if self.experiment.method.sees == "sketches":
            with torch.no_grad():
                sketch = cleaned(self.sketcher.eval()(image))
            return self.viewpoint(sketch)
        return self.viewpoint(image)

    def angles(self, batch: ViewpointBatch) -> tuple[Float[Tensor, " item"], Float[Tensor, " item"]]:
        """Return azimuth and polar angle as predicted, radians."""
        azimuth, polar = self.scores(batch)
        kind = self.experiment.method.decoding
        return AZIMUTH.decoded(azimuth, kind), POLAR.decoded(polar, kind)

    def forward(self, batch: ViewpointBatch, step: int) -> dict[str, Tensor]:
        """Return the divergence of the bins of each angle from their labels, over the usable items of the global batch."""
        config = self.experiment.method
        bins: Mapping[str, AngleBins] = {"azimuth": AZIMUTH, "polar": POLAR}
        losses = {}
        for column, ((name, own), scores) in enumerate(zip(bins.items(), self.scores(batch), strict=True)):
            labels = own.labels(batch.angles[:, column].to(scores.dtype), config.labels)
            cost = bin_divergence(scores, labels) * batch.usable
            losses[name] = global_mean(cost.sum(), batch.usable.sum().to(cost.dtype))
        return losses

    def evaluate(self, batch: ViewpointBatch) -> Found:
        """Return a record of each usable item: which bins are right, and the angle between true and found rotation."""
        scores = [part.float() for part in self.scores(batch)]
        kind = self.experiment.method.decoding
        azimuth, polar = AZIMUTH.decoded(scores[0], kind), POLAR.decoded(scores[1], kind)
        true = batch.angles.float()
        columns = {
            "azimuth": scores[0].argmax(1) == AZIMUTH.nearest(true[:, 0]),
            "elevation": scores[1].argmax(1) == POLAR.nearest(true[:, 1]),
            "error": torch.rad2deg(angle_between(azimuth, polar, true[:, 0], true[:, 1])),
        }
        values = torch.stack([column.double() for column in columns.values()], 1).cpu().numpy()
        records: list[Record] = [
            {"scores": own} for own, usable in zip(values, batch.usable.tolist(), strict=True) if usable
        ]
        return Found({"views": batch.usable.double().sum()}, records)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`sem3d.evaluation.viewpoints.viewpoint_scores` does, and the number of views."""
        values = np.array([record["scores"] for record in found.records]).reshape(-1, 3)
        return {"views": float(found.sums["views"])} | viewpoint_scores(values)

    def figures(self, batch: ViewpointBatch) -> dict[str, np.ndarray]:
        """Picture what is seen, and true and predicted azimuth and elevation on dials."""
        with torch.no_grad():
            found = torch.stack(self.angles(batch), 1)
        seen = batch.image if batch.image is not None else batch.sketch
        assert seen is not None
        pictures = seen[:SHOWN].float()[:, -3:] * (1 if batch.image is not None else 255)
        shown = pictures.clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        angles = [part[:SHOWN].double().cpu().numpy() for part in (batch.angles, found)]
        return {"viewpoints": viewpoint_dials(list(shown), *angles)}
