"""PPKT and PointContrast together: one 3D network learns from the pixels of two frames and from the match of their voxels.

The paper's ablation that adds PointContrast's loss to its own. The samples are Pri3D's pairs of frames; each frame is augmented
and back-projected by itself as PPKT does, and voxels of the two that show the same place match. The loss is the sum of PPNCE,
over frames, and of PointInfoNCE, over matches with those of the whole batch as negatives, as PointContrast is released. The paper
does not state the weight, nor the augmentation of the pair: here ``method.contrast_weight`` is 1, and PPKT's augmentation stands
for both. Evaluations are PPKT's.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sem3d.bounds import Bounds, Width
from sem3d.config import Experiment
from sem3d.datasets.pixel_point_pairs import PixelPointPairs, pixel_point_pair_samples
from sem3d.datasets.stream import Samples
from sem3d.losses.pixel_point import pixel_point_nce
from sem3d.methods.method import HELD_OUT, TRAIN, Sources
from sem3d.methods.ppkt import presets
from sem3d.methods.ppkt.config import PPKTConfig
from sem3d.methods.ppkt.method import PPKT, PPKTBatch


@dataclass(frozen=True, kw_only=True)
class PPKTPointContrastConfig(PPKTConfig):
    """Teacher, student and both losses."""

    contrast_weight: Annotated[float, Bounds(0, 1e3)] = 1.0
    """Weight of PointContrast's loss beside PPKT's."""
    contrast_dim: Width = 32
    """Dimensions in which voxels of the two frames are compared."""
    contrast_temperature: Annotated[float, Bounds(1e-3, 1e3)] = 0.4
    """Temperature of PointInfoNCE."""


@dataclass(frozen=True)
class PPKTPointContrastBatch(PPKTBatch):
    """Pairs of frames: PPKT's columns of all frames, those of a pair one after the other, and matches of their voxels."""

    match_voxel: Int[Tensor, "couple match 2"]
    match_valid: UInt8[Tensor, " couple"]


def paper() -> Experiment:
    """Return PPKT's setting on pairs: a global batch of 12 pairs has its 24 frames."""
    return on_pairs(presets.paper())


def laptop() -> Experiment:
    """Return PPKT's setting for two CPU cores on 4 pairs a step, which have its 8 frames."""
    return on_pairs(presets.laptop())


def gpu() -> Experiment:
    """Return PPKT's setting for one GPU on 16 pairs a step, which have its 32 frames."""
    return on_pairs(presets.gpu())


def on_pairs(single: Experiment) -> Experiment:
    """Return an experiment of PPKT as one of pairs of frames, with as many frames a step."""
    data, method = single.data, single.method
    making = {name: getattr(data, name) for name in ("height", "width", "matches", "voxel_size", "window", "points")}
    same = {name: getattr(method, name) for name in PPKTConfig.__dataclass_fields__}
    return replace(
        single,
        method=PPKTPointContrastConfig(**same),
        data=PixelPointPairs(**making),
        run=replace(single.run, batch_size=single.run.batch_size // 2),
    )


class PPKTPointContrast(PPKT):
    """PPKT's networks, and the linear layer whose outputs PointContrast compares."""

    Config = PPKTPointContrastConfig
    Data = PixelPointPairs
    Batch = PPKTPointContrastBatch
    presets: ClassVar = {"paper": paper, "laptop": laptop, "gpu": gpu}

    def __init__(
        self, experiment: Experiment[PPKTPointContrastConfig, PixelPointPairs], sources: Sources | None = None
    ):
        super().__init__(experiment)
        self.embedding = nn.Linear(self.sparse_unet.out_channels, experiment.method.contrast_dim)

    @classmethod
    def sources(cls, experiment: Experiment[PPKTPointContrastConfig, PixelPointPairs]) -> dict[str, Samples]:
        """Open augmented training pairs and plain held-out pairs."""
        opened = pixel_point_pair_samples(experiment.data, experiment.run.storage, experiment.run.seed)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def losses(self, voxels: Float[Tensor, "row dim"], batch: PPKTPointContrastBatch) -> dict[str, Tensor]:
        """Return PPKT's loss and PointContrast's, weighted, of the features of the 3D network."""
        config, embedded = self.experiment.method, self.embedding(voxels)
        if not len(embedded):
            embedded = torch.cat([embedded, embedded.new_zeros(1, embedded.shape[1])])
        anchor, positive = (embedded[rows.long()] for rows in batch.match_voxel.unbind(2))
        valid = batch.match_valid.bool()[:, None].expand(anchor.shape[:2])
        contrast = pixel_point_nce(anchor, positive, valid, config.contrast_temperature, "batch")
        return super().losses(voxels, batch) | {"point_info_nce": config.contrast_weight * contrast}
