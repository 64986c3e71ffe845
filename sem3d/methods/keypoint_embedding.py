"""keypoint_embedding: the dense embedding h of 2D-3D-2D (section 4.4), which gives every point of a shape a meaning.

A network like PointNet embeds all points of a cloud; keypoints that mean the same on different models attract each other, others
repel (:mod:`sem3d.losses.keypoint_contrastive`). It learns from keypoints alone, and speaks of all points, for it is continuous.

Presets: ``paper`` has negatives within a model (Eq. 6), noise near the surface, and 256 numbers a point, of which the paper says
nothing; ``released`` what the authors' ``train_emb.py`` runs: negatives of the whole batch, no noise, batches of 32 models, Adam
1e-3; its released weights have 64 numbers, its configuration 256. ``laptop`` is a small network on 512 points for two CPU
cores. Unlike the released code: models of the split ``train`` alone are learnt from instead of all that are there; layers are
normalised over their channels instead of over the batch, so that an embedding does not depend on other clouds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.bounds import Positive
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.keypoint_clouds import KeypointClouds, keypoint_sources
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures.cloud_views import draw_cloud
from sem3d.evaluation.figures.principal import pca_features
from sem3d.losses.keypoint_contrastive import NegativePairs, keypoint_contrastive
from sem3d.methods.initial_parts import start_point_network
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Found, Method, Record, Sources
from sem3d.networks.point_groups import take_rows
from sem3d.networks.point_net import PointNetConfig, PointNetEmbedding

SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class KeypointEmbeddingConfig:
    """The network and its loss."""

    point_net: PointNetConfig = field(default_factory=PointNetConfig)
    """The embedding h."""
    margin: Positive = 1.0
    """Distance from which on keypoints of different meanings cost nothing; the released code's, the paper gives none."""
    negatives: NegativePairs = "model"
    """Pairs of different meanings that the nearest are taken from: those within a model (paper), or of the batch (released)."""


@dataclass(frozen=True)
class KeypointBatch:
    """Clouds and their keypoints."""

    point: Float[Tensor, "item point 3"]
    keypoint: Int[Tensor, "item keypoint"]
    """Rows of points, -1 where there is none."""
    meaning: Int[Tensor, "item keypoint"]
    """Semantic ids, -1 where there is none."""
    usable: UInt8[Tensor, " item"]


def paper() -> Experiment:
    """Return the setting of section 4.4; the paper gives no schedule for h: that of the authors' code."""
    return Experiment(
        method=KeypointEmbeddingConfig(),
        data=KeypointClouds(),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=2200),
        run=RunConfig(batch_size=32, checkpoint_every=220, evaluate_every=220),
    )


def released() -> Experiment:
    """Return the setting of the authors' train_emb.py: 100 epochs of 700 chairs in batches of 32."""
    return override(paper(), {"method.negatives": "batch", "method.point_net.dim": 64, "data.noise": 0.0})


def laptop() -> Experiment:
    """Return a setting for some minutes on one CPU core."""
    return Experiment(
        method=KeypointEmbeddingConfig(
            point_net=PointNetConfig(local=(32, 32), whole=(64, 128), head=(128, 64), dim=32, transform=False),
            negatives="batch",
        ),
        data=KeypointClouds(points=512),
        optim=OptimConfig(kind="adam", lr=2e-3),
        schedule=ScheduleConfig(steps=200, warmup=5, decay="cosine"),
        run=RunConfig(batch_size=16, checkpoint_every=100, evaluate_every=100),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 1000 steps of 32 clouds of 1024 points."""
    changes = {
        "data.points": 1024,
        "schedule.steps": 1000,
        "run.batch_size": 32,
        "run.checkpoint_every": 500,
    }
    return override(laptop(), changes)


class KeypointEmbedding(Method):
    """PointNet on clouds of models, taught by keypoints."""

    Config = KeypointEmbeddingConfig
    Data = KeypointClouds
    Batch = KeypointBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("meaning_accuracy", "max")
    label_budget = "data.budget"
    prediction = "sem3d.pipelines.predicted_features:predict_meanings"

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment, sources)
        self.point_net = PointNetEmbedding(experiment.method.point_net)

    @classmethod
    def sources(cls, experiment: Experiment) -> dict[str, Samples]:
        """Open the models of the three splits; the best checkpoint is chosen on ``val`` and scored on ``test``."""
        opened = keypoint_sources(experiment.data)
        tested = {TESTED: opened["test"]} if opened["test"].table.num_rows else {}
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]} | tested

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from a run of this method."""
        return start_point_network(self, source, without)

    def forward(self, batch: KeypointBatch, step: int) -> dict[str, Tensor]:
        """Return the contrastive loss of the batch's keypoints."""
        config = self.experiment.method
        keypoints = self.of_keypoints(batch)
        return {"contrastive": keypoint_contrastive(keypoints, batch.meaning, config.margin, config.negatives)}

    def embedding(self, points: Float[Tensor, "item point 3"]) -> Float[Tensor, "item point dim"]:
        """Return the embedding of all points."""
        return self.point_net(points.to(self.point_net.last.weight.dtype))

    def of_keypoints(self, batch: KeypointBatch) -> Float[Tensor, "item keypoint dim"]:
        """Return the embedding of the keypoints; that of the first point where there is none."""
        return take_rows(self.embedding(batch.point), batch.keypoint.clamp(min=0))

    def evaluate(self, batch: KeypointBatch) -> Found:
        """Return a record of each usable model: embeddings and meanings of its keypoints."""
        values = self.of_keypoints(batch).float().cpu().numpy()
        meanings = batch.meaning.cpu().numpy()
        records: list[Record] = [
            {"embedding": own[means >= 0], "meaning": means[means >= 0]}
            for own, means, usable in zip(values, meanings, batch.usable.tolist(), strict=True)
            if usable
        ]
        return Found({"models": batch.usable.double().sum()}, records)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return the share of keypoints whose meaning the other models tell, beside that of guessing."""
        return {"models": float(found.sums["models"])} | meaning_scores(found.records)

    def figures(self, batch: KeypointBatch) -> dict[str, np.ndarray]:
        """Return some clouds coloured by their embedding, the same colour for the same meaning."""
        with torch.no_grad():
            values = self.embedding(batch.point[:SHOWN]).float().cpu().numpy()
        colors = pca_features([own.T[:, None] for own in values])
        clouds = batch.point[:SHOWN].float().cpu().numpy()
        drawn = [
            draw_cloud(cloud, color[0], keypoint[keypoint >= 0])
            for cloud, color, keypoint in zip(clouds, colors, batch.keypoint.cpu().numpy(), strict=False)
        ]
        return {"embedding": np.concatenate(drawn, axis=1)} if drawn else {}


def meaning_scores(records: Sequence[Record]) -> dict[str, float]:
    """Return the share of keypoints that are nearer to the mean of their meaning over the other models than to that of any
    other meaning, and the share by chance; NaN where no other model has a keypoint of the same meaning.
    """
    meanings = sorted({int(one) for record in records for one in record["meaning"]})
    if not meanings:
        return {"meaning_accuracy": math.nan, "meaning_accuracy_by_chance": math.nan}
    dim = records[0]["embedding"].shape[1]
    sums, counts = np.zeros((len(records), len(meanings), dim)), np.zeros((len(records), len(meanings)))
    for number, record in enumerate(records):
        columns = np.searchsorted(meanings, record["meaning"])
        sums[number, columns] = record["embedding"]
        counts[number, columns] = 1
    right, chance, total = 0, 0.0, 0
    for number, record in enumerate(records):
        others, seen = sums.sum(axis=0) - sums[number], counts.sum(axis=0) - counts[number]
        known = np.flatnonzero(seen)
        means = others[known] / seen[known, None]
        for value, meaning in zip(record["embedding"], record["meaning"], strict=True):
            column = int(np.searchsorted(meanings, meaning))
            if seen[column]:
                right += int(known[np.square(means - value).sum(axis=1).argmin()] == column)
                chance += 1 / len(known)
                total += 1
    if not total:
        return {"meaning_accuracy": math.nan, "meaning_accuracy_by_chance": math.nan}
    return {"meaning_accuracy": right / total, "meaning_accuracy_by_chance": chance / total}
