"""reconstruction_sketches: depth, normals and silhouette of an object from one picture, the first stage of ShapeHD.

Mean squared errors, of depth and normals over the object's pixels only, of the silhouette over all. Presets: ``paper`` is section
4.6.3, SGD 1e-3 for 120 epochs; ``released`` GenRe-ShapeHD's script, Adam 1e-3 with betas .5 and .9, batches of 4. ``laptop`` is a
small network on 64 pixels for two CPU cores, from weights of ImageNet. What differs from the released network is told in
:mod:`sem3d.networks.sketch_network`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.sketched_views import SketchedViews, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.losses.segmentation import global_mean
from sem3d.methods.initial_parts import load_parts, part_of, read_safetensors, refuse_without
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import Found, Method, Sources
from sem3d.methods.reconstruction.pictures import sketch_pictures
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.sketch_network import SketchNetwork, SketchNetworkConfig, cleaned

SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class SketchesConfig:
    """The network."""

    sketcher: SketchNetworkConfig = field(default_factory=SketchNetworkConfig)
    """Encoder and decoders."""


@dataclass(frozen=True)
class SketchBatch:
    """Pictures and their true sketches."""

    image: UInt8[Tensor, "item 3 side side"]
    sketch: Float[Tensor, "item 5 side side"]
    """Depth, normals, silhouette, see :func:`sem3d.datasets.sketched_views.read_sketch`."""
    usable: UInt8[Tensor, " item"]


def paper() -> Experiment:
    """Return the setting of section 4.6.3; of its batches it says nothing: the released code's."""
    return Experiment(
        method=SketchesConfig(),
        data=SketchedViews(),
        optim=OptimConfig(kind="sgd", lr=1e-3, momentum=0.0),
        schedule=ScheduleConfig(steps=0, epochs=120.0, decay="constant"),
        run=RunConfig(batch_size=4, checkpoint_every=5000, evaluate_epochs=5.0),
        init="imagenet",
    )


def released() -> Experiment:
    """Return the setting of GenRe-ShapeHD's train_marrnet1.sh: 1000 epochs of 2500 batches."""
    changes = {"optim.kind": "adam", "optim.beta1": 0.5, "optim.beta2": 0.9, "optim.momentum": 0.9}
    return override(paper(), changes | {"schedule.steps": 2_500_000, "schedule.epochs": 0.0, "init": "imagenet"})


def laptop() -> Experiment:
    """Return a setting for some minutes on two CPU cores."""
    return Experiment(
        method=SketchesConfig(sketcher=SketchNetworkConfig(encoder="efficientnet_lite0", width=64)),
        data=SketchedViews(size=64, voxels=32, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=400, warmup=10, decay="cosine"),
        run=RunConfig(batch_size=16, checkpoint_every=100, evaluate_every=100),
        init="imagenet",
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 2000 steps of 32 pictures."""
    return longer_on_gpu(laptop(), steps=2000, batch_size=32, checkpoint_every=500)


class ReconstructionSketches(Method):
    """A picture's 2.5D sketches."""

    Config = SketchesConfig
    Data = SketchedViews
    Batch = SketchBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("silhouette_iou", "max")
    label_budget = "data.budget"
    handed_on = ("method.sketcher.",)
    prediction = "sem3d.pipelines.predicted_object:predict_sketches"

    def __init__(self, experiment: Experiment[SketchesConfig, SketchedViews], sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.sketcher = SketchNetwork(experiment.method.sketcher)

    @classmethod
    def sources(cls, experiment: Experiment[SketchesConfig, SketchedViews]) -> dict[str, Samples]:
        """Open views of training objects, of val and of test, with their sketches."""
        return sketched_sources(experiment.data, experiment.run.storage, ("image", "sketch"))

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, from an encoder's weights, or from a run that predicts sketches."""
        if source.endswith(".safetensors"):
            stored = read_safetensors(Path(source))
            if "sketcher" in {part_of(name) for name in stored}:
                return load_parts(self, stored, source, without)
        refuse_without(source, without)
        return load_encoder(self.sketcher.encoder, source, self)

    def sketches(self, image: UInt8[Tensor, "item 3 side side"]) -> Float[Tensor, "item 5 side side"]:
        """Return depth, normals and silhouette, as the network gives them."""
        return self.sketcher(normalise_images(image))

    def forward(self, batch: SketchBatch, step: int) -> dict[str, Tensor]:
        """Return the squared errors of the usable items of the global batch."""
        costs = sketch_costs(self.sketches(batch.image), batch.sketch)
        count = batch.usable.sum().to(next(iter(costs.values())).dtype)
        return {name: global_mean((cost * batch.usable).sum(), count) for name, cost in costs.items()}

    def evaluate(self, batch: SketchBatch) -> Found:
        """Return sums of what is told of each usable picture: IoU of silhouettes, errors of depth and normals on the object."""
        found, true = cleaned(self.sketches(batch.image)).double(), batch.sketch.double()
        inside, usable = true[:, 4] > 0, batch.usable.double()
        area = inside.sum((1, 2)).clamp(min=1)
        either = ((found[:, 4] > 0) | inside).sum((1, 2)).clamp(min=1)
        shared = (found[:, 4] > 0) & inside
        cosine = (found[:, 1:4] * true[:, 1:4]).sum(1).clamp(-1, 1)
        turned = torch.rad2deg(cosine.acos()) * shared
        told = {
            "overlapping_views": shared.any(2).any(1).double(),
            "silhouette_iou": shared.sum((1, 2)) / either,
            "depth_error": ((found[:, 0] - true[:, 0]).abs() * inside).sum((1, 2)) / area,
            "normal_error_degrees": turned.sum((1, 2)) / shared.sum((1, 2)).clamp(min=1),
        }
        return Found({name: (value * usable).sum() for name, value in told.items()} | {"views": usable.sum()})

    def summarise(self, found: Found) -> dict[str, float]:
        """Return means over views: depth as a share of the object's depth, normals where silhouettes agree, over the views that
        have such pixels; without one, normals are not told.
        """
        views, overlapping = (float(found.sums[name]) for name in ("views", "overlapping_views"))
        means = {name: float(found.sums[name]) / max(views, 1) for name in ("silhouette_iou", "depth_error")}
        if overlapping:
            means["normal_error_degrees"] = float(found.sums["normal_error_degrees"]) / overlapping
        return {"views": views} | means

    def figures(self, batch: SketchBatch) -> dict[str, np.ndarray]:
        """Picture what is seen, and true and predicted sketches."""
        with torch.no_grad():
            found = cleaned(self.sketches(batch.image[:SHOWN]))
        columns = {"seen": list(batch.image[:SHOWN].permute(0, 2, 3, 1).cpu().numpy())}
        columns |= sketch_pictures(batch.sketch[:SHOWN], "true") | sketch_pictures(found, "predicted")
        return {"sketches": picture_grid(columns)}


def sketch_costs(
    found: Float[Tensor, "item 5 side side"], true: Float[Tensor, "item 5 side side"]
) -> dict[str, Float[Tensor, " item"]]:
    """Return mean squared errors of each item: of depth and normals over the object's pixels, of its silhouette over all."""
    squares = (found.to(torch.promote_types(found.dtype, torch.float32)) - true.to(found.dtype)).square()
    inside = true[:, 4:].to(squares.dtype)
    area = inside.sum((1, 2, 3)).clamp(min=1)
    return {
        "depth": (squares[:, :1] * inside).sum((1, 2, 3)) / area,
        "normal": (squares[:, 1:4] * inside).mean(1).sum((1, 2)) / area,
        "silhouette": squares[:, 4].mean((1, 2)),
    }
