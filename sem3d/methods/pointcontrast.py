"""PointContrast (Xie et al., 2007.10985): 3D features that stay the same from one frame of a scene to the next.

Two frames that overlap are back-projected and turned by themselves. A sparse 3D network gives each voxel a feature; voxels
that show the same place attract each other, others repel: PointInfoNCE, where a voxel has to pick its match among all matches of
the batch, or the hardest-contrastive loss of FCGF. No labels, no images. PPKT's paper measures against it.

Presets: ``released`` is what the authors' script runs, whose learning rate falls every 250 steps; ``paper`` has the decay of
their defaults, every 1000 (the paper's own text was not at hand). Both compute PointInfoNCE at the script's temperature of 0.4
(0.07 in the defaults); ``method.loss hardest_contrastive`` is their other loss. ``laptop`` is a small network for two CPU
cores, on Pri3D's pairs at its size. Unlike the released code: a voxel matches the nearest one of the other frame within the
radius instead of a random one, 1024 matches are drawn of each pair instead of 4096 of each GPU's four, negatives are those of
the global batch instead of one GPU's, voxels have no jitter, and nearest features are searched in tiles
(:mod:`sem3d.losses.hardest_contrastive`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.bounds import Bounds, Width
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.cloud_pairs import CloudPairs, cloud_pair_samples
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures import feature_sheet, seen_from_above
from sem3d.evaluation.voxel_matches import match_sums, voxel_match_metrics
from sem3d.losses.hardest_contrastive import HardestContrast, hardest_contrastive_of_items
from sem3d.losses.pixel_point import Negatives, pixel_point_nce
from sem3d.methods.initial_parts import start_point_network
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import FROZEN_EFFECT, HELD_OUT, TRAIN, Found, Method, Sources
from sem3d.methods.unmatched import UNMATCHED, count_unmatched, weigh_unmatched
from sem3d.methods.voxel_features import VoxelFeatures
from sem3d.networks.sparse_unet import (
    INPUT_CHANNELS,
    RES16UNET34C,
    SLIM,
    SparseUNet,
    SparseUNetConfig,
    VoxelInput,
)

logger = logging.getLogger(__name__)

FRAMES_SHOWN = 4
SHOWN_BELOW = 2.2
"""Height above the lowest voxel, metres, above which pictures from above leave voxels out."""


@dataclass(frozen=True, kw_only=True)
class PointContrastConfig:
    """The network and the loss."""

    sparse_unet: SparseUNetConfig = RES16UNET34C
    """The 3D network that is kept for downstream tasks."""
    voxel_input: VoxelInput = "occupancy"
    """What a voxel tells the 3D network: that it is there (as released), or its RGB in [0, 1]."""
    loss: Literal["point_info_nce", "hardest_contrastive"] = "point_info_nce"
    """Which of the two losses."""
    negatives: Negatives = "batch"
    """Voxels that a match competes with in PointInfoNCE: those of its pair, or of all pairs of the global batch, of each
    micro-batch where optim.accumulate is above 1."""
    hardest: HardestContrast = field(default_factory=HardestContrast)
    """Margins of the hardest-contrastive loss."""
    embedding_dim: Width = 32
    """Dimensions in which voxels are compared."""
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 0.4
    """Temperature of PointInfoNCE."""


@dataclass(frozen=True)
class PointContrastBatch:
    """Pairs of frames; voxels of all frames follow one another, led by 2 * pair + view, and matches name their rows."""

    voxel: Int[Tensor, "voxel 4"]
    voxel_color: UInt8[Tensor, "voxel 3"]
    match_voxel: Int[Tensor, "batch match 2"]
    match_valid: UInt8[Tensor, " batch"]
    usable: UInt8[Tensor, " batch"]
    """0 where the pair could not be read and has no voxel."""


def paper() -> Experiment:
    """Return the setting with the authors' default decay: Res16UNet34C on 2.5 cm, global batch 32, 60,000 steps, lr 0.1, by 0.99
    every 1000.
    """
    return Experiment(
        method=PointContrastConfig(),
        data=CloudPairs(),
        optim=OptimConfig(momentum=0.8, weight_decay=1e-4),
        run=RunConfig(batch_size=32),
    )


def released() -> Experiment:
    """Return the setting of the authors' scripts/ddp_local.sh: the learning rate falls every 250 steps."""
    return Experiment(
        method=PointContrastConfig(),
        data=CloudPairs(),
        optim=OptimConfig(momentum=0.8, weight_decay=1e-4),
        schedule=ScheduleConfig(gamma_every=250),
        run=RunConfig(batch_size=32),
    )


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: a slim 3D network on 10 cm voxels of frames of 96 x 128."""
    return Experiment(
        method=PointContrastConfig(sparse_unet=SLIM),
        data=CloudPairs(height=96, width=128, matches=256, voxel_size=0.1),
        optim=OptimConfig(kind="adamw", lr=2e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=8, checkpoint_every=20),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 1000 steps of 32 pairs."""
    return longer_on_gpu(laptop(), steps=1000, batch_size=32, checkpoint_every=200)


class PointContrast(VoxelFeatures, Method):
    """The 3D network and the linear layer whose outputs are compared."""

    Config = PointContrastConfig
    Data = CloudPairs
    Batch = PointContrastBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("match_rate", "max")
    label_budget = "data.share"
    handed_on = ("method.sparse_unet.", "method.voxel_input")
    evaluations: ClassVar = {
        "correspondence": "sem3d.pipelines.correspondence:correspondence",
        "probe": "sem3d.pipelines.point_probe:probe",
        "tsne": "sem3d.pipelines.feature_plane:tsne",
    }
    prediction = "sem3d.pipelines.predicted_features:predict_point_features"
    effects: ClassVar = {
        "match rate": "sem3d.pipelines.correspondence:matched",
        FROZEN_EFFECT: "sem3d.pipelines.point_probe:probed",
    }

    def __init__(self, experiment: Experiment[PointContrastConfig, CloudPairs], sources: Sources | None = None):
        super().__init__(experiment)
        config = experiment.method
        self.sparse_unet = SparseUNet(config.sparse_unet, INPUT_CHANNELS[config.voxel_input])
        self.embedding = nn.Linear(self.sparse_unet.out_channels, config.embedding_dim)

    @classmethod
    def sources(cls, experiment: Experiment[PointContrastConfig, CloudPairs]) -> dict[str, Samples]:
        """Open turned pairs of training frames and plain pairs of held-out frames."""
        opened = cloud_pair_samples(experiment.data, experiment.run.storage, experiment.run.seed)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from every part that a sem3d checkpoint and this method share."""
        return start_point_network(self, source, without)

    def forward(self, batch: PointContrastBatch, step: int) -> dict[str, Tensor]:
        """Return the loss that is on, by its name (paper, section 3.3)."""
        config = self.experiment.method
        return {config.loss: self.loss(self.features(batch), batch, config.negatives)}

    def features(self, batch: PointContrastBatch) -> Float[Tensor, "row dim"]:
        """Return features of all voxels, not normalised; one row of zeros where there is none."""
        features = self.embedding(self.features_of_voxels(batch.voxel, batch.voxel_color))
        return features if len(features) else torch.cat([features, features.new_zeros(1, features.shape[1])])

    def loss(
        self, features: Float[Tensor, "row dim"], batch: PointContrastBatch, negatives: Negatives
    ) -> Float[Tensor, ""]:
        """Return the loss of the batch's matches, a mean over pairs or, against the whole batch, over matches."""
        config = self.experiment.method
        anchor, positive = (features[rows.long()] for rows in batch.match_voxel.unbind(2))
        valid = batch.match_valid.bool()[:, None].expand(anchor.shape[:2])
        if config.loss == "point_info_nce":
            return pixel_point_nce(anchor, positive, valid, config.temperature, negatives)
        return hardest_contrastive_of_items(anchor, positive, config.hardest, valid, batch.match_voxel)

    def tally(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Count pairs, and those of them without a match."""
        return count_unmatched(columns)

    def weigh(self, counts: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """Return the share of pairs without a match; a warning where it is over the limit for samples that cannot be used."""
        return weigh_unmatched(counts, self.experiment.run.quarantine_limit)

    def evaluate(self, batch: PointContrastBatch) -> Found:
        """Return the loss with negatives of the same pair, and matches found among all voxels of the other frame, as sums."""
        features, pairs = self.features(batch), len(batch.usable)
        sums = {
            f"loss_{self.experiment.method.loss}": self.loss(features, batch, "item").double() * pairs,
            "match_matched": batch.match_valid.double().sum(),
            "pairs": batch.usable.double().sum(),
        }
        for pair in torch.nonzero(batch.match_valid)[:, 0].tolist():
            found = match_sums(features, batch.voxel, 2 * pair + 1, batch.match_voxel[pair].long())
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value
        return Found(sums)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return the mean loss, the share of pairs with any match, and of matches that are found beside that of guessing."""
        sums, loss = found.sums, f"loss_{self.experiment.method.loss}"
        if sums["pairs"] > 0 and not sums["match_matched"]:
            logger.warning("none of the %d held-out pairs has a %s", int(sums["pairs"]), UNMATCHED["match"])
        metrics = {name: float(sums[name] / sums["pairs"].clamp(min=1)) for name in (loss, "match_matched")}
        return metrics | voxel_match_metrics(sums, self.experiment.data.voxel_size)

    def figures(self, batch: PointContrastBatch) -> dict[str, np.ndarray]:
        """Return colours of some frames' voxels from above, beside their features coloured by one PCA."""
        with torch.no_grad():
            features = F.normalize(self.features(batch), dim=1).float().cpu().numpy()
        voxel, color = batch.voxel.cpu().numpy(), batch.voxel_color.cpu().numpy()
        cut = SHOWN_BELOW / self.experiment.data.voxel_size
        images, maps = [], []
        for frame in np.unique(voxel[:, 0])[:FRAMES_SHOWN]:
            own = np.flatnonzero(voxel[:, 0] == frame)
            images.append(seen_from_above(voxel[own, 1:], color[own], cut))
            there, seen = (seen_from_above(voxel[own, 1:], of, cut) for of in (np.ones(len(own), bool), features[own]))
            maps.append(np.where(there[..., None], seen, np.nan).transpose(2, 0, 1))
        return {"features": feature_sheet(images, maps)} if images else {}
