"""3D semantic segmentation with few labels: the downstream task of PPKT (section 4.3) and of Pri3D's 3D network.

The sparse 3D network of pretraining with a new linear layer to 20 classes plus "ignored", fine-tuned on labelled scenes under a
label budget of scenes, of points of each scene, or of both. ``--init`` takes a run of PPKT or Pri3D or nothing, so that every arm
of a comparison differs in the weights it starts from and in nothing else. ``method.trained`` is the whole network (full
fine-tuning), its decoder and classifier, or the classifier alone (linear probe); what is not trained keeps its BatchNorm too.

Labels are of points: the network answers for voxels, each point takes the answer of its voxel, and an evaluation counts every
point of every held-out scene once, as ScanNet's script counts vertices.

Presets: ``paper`` has PPKT's 15,000 steps, its network and its voxels; the paper says nothing else of ScanNet, so batch 32 is
that of its S3DIS, and learning rate and decay are this project's. ``laptop`` is a slim network on 10 cm voxels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.scans.own_classes import label_set_of
from sem3d.datasets.scene_clouds import SceneClouds, cloud_samples
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures import prediction_sheet, seen_from_above
from sem3d.evaluation.segmentation import common_classes, confusion, segmentation_metrics, segmentation_tables
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import HELD_OUT, TRAIN, Found, Record, Sources
from sem3d.methods.tasks.partly_trained import PointTask
from sem3d.networks.sparse_unet import (
    INPUT_CHANNELS,
    RES16UNET34C,
    SLIM,
    SparseUNet,
    SparseUNetConfig,
    VoxelInput,
)

SCENES_SHOWN = 3
SHOWN_BELOW = 1.8
"""Metres above the lowest point that pictures from above show."""


@dataclass(frozen=True, kw_only=True)
class SemanticSegmentation3DConfig:
    """The network, whose weights may come from pretraining, and what of it is trained."""

    sparse_unet: SparseUNetConfig = RES16UNET34C
    """The 3D network; the same as in pretraining where --init names a pretrained run."""
    voxel_input: VoxelInput = "color"
    """What a voxel tells the network: that it is there, or its RGB in [0, 1]; as in pretraining."""
    trained: Literal["all", "decoder", "classifier"] = "all"
    """What is trained: all, decoder and classifier, or the classifier alone, which makes it a linear probe."""


@dataclass(frozen=True)
class SemanticSegmentation3DBatch:
    """Scenes as points and the voxels that hold them, for each turn of the scene about the vertical."""

    voxel: Int[Tensor, "voxel 4"]
    """Led by scene * turns + turn; voxels of all scenes follow one another."""
    voxel_color: UInt8[Tensor, "voxel 3"]
    point_voxel: Int[Tensor, "point turn"]
    """Row of the voxel that holds each point."""
    point_label: UInt8[Tensor, " point"]
    """0 where ignored."""
    scene: Int[Tensor, " batch"]
    """Number of each scene, -1 where it could not be read and has no point."""


def paper() -> Experiment:
    """Return PPKT's setting: Res16UNet34C on 2.5 cm, batch 32, 15,000 steps; lr 0.1 with polynomial decay."""
    return Experiment(
        method=SemanticSegmentation3DConfig(),
        data=SceneClouds(),
        optim=OptimConfig(lr=0.1, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=15_000, decay="polynomial"),
        run=RunConfig(batch_size=32),
    )


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: a slim network on 10 cm voxels, 20,000 points of a scene a step."""
    return Experiment(
        method=SemanticSegmentation3DConfig(sparse_unet=SLIM),
        data=SceneClouds(voxel_size=0.1, most_points=20_000),
        optim=OptimConfig(kind="adamw", lr=5e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=4, checkpoint_every=20),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 1000 steps of 8 scenes."""
    return longer_on_gpu(laptop(), steps=1000, batch_size=8, checkpoint_every=200)


class SemanticSegmentation3D(PointTask):
    """The sparse 3D network with a linear classifier of voxels."""

    Config = SemanticSegmentation3DConfig
    Data = SceneClouds
    Batch = SemanticSegmentation3DBatch
    presets: ClassVar = {"paper": paper, "laptop": laptop, "gpu": gpu}
    score = ("miou_scannet", "max")
    label_budget = "data.budget"
    evaluations: ClassVar = {
        "segmentation": "sem3d.pipelines.scores:scores",
        "clouds": "sem3d.pipelines.shown_clouds:clouds",
    }
    marks = "sem3d.methods.tasks.frequent_heights:marks"
    prediction = "sem3d.pipelines.predicted_cloud:predict_cloud"
    published = "sem3d.reporting.papers.ppkt:published_table"

    def __init__(
        self, experiment: Experiment[SemanticSegmentation3DConfig, SceneClouds], sources: Sources | None = None
    ):
        super().__init__(experiment)
        config = experiment.method
        self.sparse_unet = SparseUNet(config.sparse_unet, INPUT_CHANNELS[config.voxel_input])
        self.classes = label_set_of(experiment.data)
        self.names = self.classes.names
        self.classifier = nn.Linear(self.sparse_unet.out_channels, len(self.names))
        self.keep_parts()

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSegmentation3DConfig, SceneClouds]) -> dict[str, Samples]:
        """Open the labelled training scenes under the budget and all labelled validation scenes."""
        opened = cloud_samples(experiment.data, experiment.run.storage)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def voxel_logits(self, batch: SemanticSegmentation3DBatch) -> Float[Tensor, "voxel class"]:
        """Return class scores of every voxel; class 0 means none of the others."""
        return self.classifier(self.features_of_voxels(batch.voxel, batch.voxel_color))

    def point_scores(self, batch: SemanticSegmentation3DBatch) -> Float[Tensor, "point class"]:
        """Return the logarithm of the mean, over turns, of each point's class probabilities."""
        voxels = self.voxel_logits(batch)
        voxels = F.log_softmax(voxels.to(torch.promote_types(voxels.dtype, torch.float32)), dim=1)
        first, *others = (voxels[rows.long()] for rows in batch.point_voxel.unbind(1))
        for scores in others:
            first = torch.logaddexp(first, scores)
        return first - float(np.log(1 + len(others)))

    def forward(self, batch: SemanticSegmentation3DBatch, step: int) -> dict[str, Tensor]:
        """Return cross entropy of the labelled points of the global batch."""
        total, count = segmentation_cross_entropy(self.point_scores(batch), batch.point_label.long())
        return {"cross_entropy": global_mean(total, count)}

    def evaluate(self, batch: SemanticSegmentation3DBatch) -> Found:
        """Return the confusion matrix, and cross entropy with its number of points; of each scene its number and classes."""
        scores = self.point_scores(batch)
        total, count = segmentation_cross_entropy(scores, batch.point_label.long())
        return Found(
            {
                "confusion": confusion(batch.point_label, scores.argmax(1), len(self.names)).double(),
                "cross_entropy": total.double(),
                "points": count.double(),
            },
            list(scenes_and_classes(batch)),
        )

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`point_metrics` does, and the cross entropy."""
        sums = found.sums
        common = common_classes((record["scene"], record["classes"]) for record in found.records)
        loss = float(sums["cross_entropy"] / sums["points"].clamp(min=1))
        return point_metrics(sums["confusion"], common) | {"loss_cross_entropy": loss}

    def artifacts(self, found: Found) -> dict[str, object]:
        """Return the IoU of each class, and the confusion matrix of the labelled points (rows: truth)."""
        return segmentation_tables(found.sums["confusion"], self.names, self.classes.palette)

    def figures(self, batch: SemanticSegmentation3DBatch) -> dict[str, np.ndarray]:
        """Return predictions beside labels for the first scenes of the batch, seen from above."""
        with torch.no_grad():
            predictions = self.point_scores(batch).argmax(1).to(torch.uint8)
        columns = (batch.voxel, batch.voxel_color, batch.point_voxel[:, 0], batch.point_label, predictions)
        voxel, color, of_point, *named = (column.cpu().numpy() for column in columns)
        maps = []
        for values in named:  # a voxel shows one of its points
            of_voxel = np.zeros(len(voxel), np.uint8)
            of_voxel[of_point] = values
            maps.append(of_voxel)
        turns, cut = batch.point_voxel.shape[1], SHOWN_BELOW / self.experiment.data.voxel_size
        shown = []
        for number in range(min(SCENES_SHOWN, len(batch.scene))):
            own = np.flatnonzero(voxel[:, 0] == number * turns)
            if len(own):
                shown.append([seen_from_above(voxel[own, 1:], values[own], cut) for values in (color, *maps)])
        if not shown:
            return {}
        images, labels, found = zip(*shown, strict=True)
        return {"predictions": prediction_sheet(images, labels, found, self.classes.palette, self.names)}


def point_metrics(confusion: Num[Tensor, "class class"], common: Sequence[int]) -> dict[str, float]:
    """Return mean IoU as ScanNet's script has it, over all classes and over the ``common`` ones, class and point accuracy."""
    metrics = segmentation_metrics(confusion, common)
    del metrics["miou_pri3d"]
    return metrics | {"point_accuracy": metrics.pop("pixel_accuracy")}


def scenes_and_classes(batch: SemanticSegmentation3DBatch) -> Iterator[Record]:
    """Yield of each scene that could be read its number and the classes that its points have."""
    of_point = batch.voxel[batch.point_voxel[:, 0].long(), 0] // batch.point_voxel.shape[1]
    pairs = torch.unique(torch.stack([of_point.long(), batch.point_label.long()]), dim=1).cpu().numpy()
    for item, scene in enumerate(batch.scene.tolist()):
        if scene >= 0:
            yield {"scene": scene, "classes": pairs[1, pairs[0] == item]}
