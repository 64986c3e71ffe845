"""2D semantic segmentation with few labels: Pri3D's downstream task (section 4, "Downstream Fine-tuning").

The 2D network of pretraining, encoder and decoder, with a new linear layer to 20 classes plus "ignored", fine-tuned whole
on labelled frames under a label budget. ``--init`` takes a Pri3D run, ImageNet weights or nothing, so that every arm of
a comparison differs in the weights it starts from and in nothing else.

Presets: ``paper`` has batch 64, ``released`` has batch 8 with momentum dampening and decaying BatchNorm momentum, and
evaluates every 5 epochs to keep the best; both run 80 epochs of the labelled frames (20,000 in ScanNet, fewer under a label
budget, and so fewer steps), at 240 x 320, no augmentation, polynomial decay. The classifier takes the place of the 1x1 layer
whose outputs pretraining compares. ``laptop`` keeps steps, not epochs, over label budgets. Unlike the released code:

- the cross entropy is averaged over the labelled pixels of the global batch, whatever the number of workers;
- every preset keeps its best by ``miou_scannet``, where the script keeps it by its own mIoU (``miou_pri3d`` here), and the
  score at the last step is reported beside the best one;
- colour is resized bilinearly instead of by the nearest pixel;
- scores are interpolated to full size by the project's pixel rule, where the script aligns corners;
- the polynomial decay divides by the number of steps, where the script divides by one more, and BatchNorm's momentum is that
  of the step, where the script's comes a step later;
- frames come from the index that pretraining uses, which leaves out those without a usable pose or depth, labels or not:
  the run's line ``index: ...`` says how many there are of each reason.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.labelled_frames import LabelledFrames, labelled_samples
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures import prediction_sheet
from sem3d.evaluation.segmentation import common_classes, confusion, segmentation_metrics, segmentation_tables
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from sem3d.methods.initial_parts import start_image_network
from sem3d.methods.method import FROZEN_EFFECT, HELD_OUT, TRAIN, Found, Method, Record, Sources
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.pixel_heads import PixelHead
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig

EPOCHS = 80.0


@dataclass(frozen=True, kw_only=True)
class SemanticSegmentation2DConfig:
    """The network; its weights may come from pretraining."""

    unet: ResidualUNetConfig = field(default_factory=ResidualUNetConfig)
    """The 2D network; the same as in pretraining where --init names a pretrained run."""
    embedding_layer: bool = False
    """Keep the 1x1 layer whose outputs pretraining compares below the classifier, which else takes its place (as released)."""


@dataclass(frozen=True)
class SemanticSegmentation2DBatch:
    """Images and their training labels, 0 where ignored."""

    image: UInt8[Tensor, "batch 3 height width"]
    label: UInt8[Tensor, "batch height width"]
    scene: Int[Tensor, " batch"] | None = None
    """Number of the scene that each image is of, -1 where nothing is known of it."""


def paper() -> Experiment:
    """Return the paper's setting: batch 64, lr 0.01, polynomial decay, 80 epochs."""
    return Experiment(
        method=SemanticSegmentation2DConfig(),
        data=LabelledFrames(),
        optim=OptimConfig(lr=0.01),
        schedule=ScheduleConfig(steps=0, epochs=EPOCHS, decay="polynomial"),
        init="imagenet",
    )


def released() -> Experiment:
    """Return the setting of the authors' downstream/semseg/unet: batch 8, dampening, BatchNorm schedule."""
    return Experiment(
        method=SemanticSegmentation2DConfig(),
        data=LabelledFrames(),
        optim=OptimConfig(lr=0.01, dampening=0.1),
        schedule=ScheduleConfig(steps=0, epochs=EPOCHS, decay="polynomial", batch_norm_momentum="released"),
        run=RunConfig(batch_size=8, evaluate_epochs=5.0),
        init="imagenet",
    )


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: EfficientNet-Lite0 at 96 x 128."""
    return Experiment(
        method=SemanticSegmentation2DConfig(unet=ResidualUNetConfig(encoder="efficientnet_lite0")),
        data=LabelledFrames(height=96, width=128, mirror_probability=0.5),
        optim=OptimConfig(kind="adamw", lr=1e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=8, checkpoint_every=20),
        init="imagenet",
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 16 visits to each frame whatever the label budget."""
    changes = {
        "schedule.steps": 0,
        "schedule.epochs": 16.0,
        "run.batch_size": 16,
        "run.checkpoint_every": 200,
    }
    return override(laptop(), changes)


class SemanticSegmentation2D(Method):
    """The 2D network with a linear classifier of every second pixel, answer interpolated to full size."""

    Config = SemanticSegmentation2DConfig
    Data = LabelledFrames
    Batch = SemanticSegmentation2DBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("miou_scannet", "max")
    label_budget = "data.budget"
    handed_on = ("method.unet.",)
    compiled = ("unet",)
    evaluations: ClassVar = {
        "segmentation": "sem3d.pipelines.scores:scores",
        "probe": "sem3d.pipelines.probe:probe",
    }
    prediction = "sem3d.pipelines.predicted_picture:predict_labels"
    published = "sem3d.reporting.papers.pri3d:published_table"
    marks = "sem3d.methods.tasks.frequent_classes:marks"
    effects: ClassVar = {FROZEN_EFFECT: "sem3d.pipelines.probe:probed"}
    frozen_scores = "sem3d.pipelines.probe:frozen_scores"

    def __init__(
        self, experiment: Experiment[SemanticSegmentation2DConfig, LabelledFrames], sources: Sources | None = None
    ):
        super().__init__(experiment)
        self.unet = ResidualUNet(experiment.method.unet, experiment.method.embedding_layer)
        self.classes = label_set_of(experiment.data)
        self.classifier = PixelHead(self.unet.dim, len(self.classes.names))

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSegmentation2DConfig, LabelledFrames]) -> dict[str, Samples]:
        """Open the labelled training frames under the budget and all labelled validation frames."""
        opened = labelled_samples(experiment.data, experiment.run.storage)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Load the encoder (imagenet, a file), or encoder and decoder (a sem3d checkpoint)."""
        return start_image_network(self, source, without)

    def pixel_scores(self, image: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch class height width"]:
        """Return class scores of every pixel; class 0 means none of the others."""
        return self.classifier(self.image_features(image), tuple(image.shape[-2:]))

    def image_features(
        self, image: UInt8[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch dim half_height half_width"]:
        """Return what the classifier reads, of every second pixel."""
        return self.unet(normalise_images(image))

    def forward(self, batch: SemanticSegmentation2DBatch, step: int) -> dict[str, Tensor]:
        """Return cross entropy of the labelled pixels of the global batch."""
        total, count = segmentation_cross_entropy(self.pixel_scores(batch.image), batch.label.long())
        return {"cross_entropy": global_mean(total, count)}

    def evaluate(self, batch: SemanticSegmentation2DBatch) -> Found:
        """Return the confusion matrix, and cross entropy with its number of pixels; of each image its scene and classes."""
        logits = self.pixel_scores(batch.image)
        total, count = segmentation_cross_entropy(logits, batch.label.long())
        return Found(
            {
                "confusion": confusion(batch.label, logits.argmax(1), len(self.classes.names)).double(),
                "cross_entropy": total.double(),
                "pixels": count.double(),
            },
            scenes_and_classes(batch),
        )

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`segmentation_metrics` does, and the cross entropy."""
        sums = found.sums
        common = common_classes((record["scene"], record["classes"]) for record in found.records)
        loss = float(sums["cross_entropy"] / sums["pixels"].clamp(min=1))
        return segmentation_metrics(sums["confusion"], common) | {"loss_cross_entropy": loss}

    def artifacts(self, found: Found) -> dict[str, object]:
        """Return the IoU of each class, and the confusion matrix of the labelled pixels (rows: truth)."""
        return segmentation_tables(found.sums["confusion"], self.classes.names, self.classes.palette)

    def figures(self, batch: SemanticSegmentation2DBatch) -> dict[str, np.ndarray]:
        """Return predictions beside labels for the first images of the batch."""
        with torch.no_grad():
            predictions = self.pixel_scores(batch.image[:6]).argmax(1).to(torch.uint8)
        images = batch.image[:6].permute(0, 2, 3, 1)
        shown, labels, found = (list(tensor.cpu().numpy()) for tensor in (images, batch.label[:6], predictions))
        return {"predictions": prediction_sheet(shown, labels, found, self.classes.palette, self.classes.names)}


def scenes_and_classes(batch: SemanticSegmentation2DBatch) -> list[Record]:
    """Return of each image whose scene is known the number of that and the classes that it shows."""
    if batch.scene is None:
        return []
    labels, scenes = batch.label.cpu().numpy(), batch.scene.tolist()
    return [
        {"scene": scene, "classes": np.unique(label)} for scene, label in zip(scenes, labels, strict=True) if scene >= 0
    ]
