"""Pri3D (Hou et al., 2104.11225): 2D features that know about 3D, learnt from overlapping RGB-D frame pairs.

Two losses, alone or together. The view loss pulls together the features of two pixels, one in each frame, that see the same
surface point. The geometric loss pulls together the feature of a pixel and that of its voxel, which a sparse 3D U-Net
computes from the chunk of surface in front of the camera. Both are PointInfoNCE with the other matches of the same pair as
negatives. No labels are used.

Presets: ``paper`` is what the paper says; ``released`` is what the authors ran. They differ in the matching criterion and
thresholds (2 cm against 5 cm and 20 cm along z), the 3D input (occupancy against colour), the depth head that the
paper never mentions (worth about 1 mIoU), the schedule (0.99 every 1000 steps against polynomial) and the decaying
BatchNorm momentum. In both the loss is the released, symmetric one (``method.loss_form paper`` gives equation 1 as
printed) and pairs overlap by the released definition (``data.prepare.overlap.definition paper`` for the other). Unlike
the released code: negatives and BatchNorm do not depend on the number of workers, BatchNorm sees both views of all pairs at
once (there: one view of one GPU's pairs), a pair without matches in one loss keeps its part in the other, pixels without
depth are never matched, each scan's own intrinsics are used, colour is resized bilinearly instead of by the nearest pixel,
depth is interpolated by the project's pixel rule instead of with aligned corners, the polynomial decay divides by the number
of steps instead of by one more, and BatchNorm's momentum comes a step earlier.
``laptop`` is a small network for two CPU cores.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sem3d.bounds import Bounds, Width
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.frame_pairs import FramePairs, pair_samples
from sem3d.datasets.stream import Samples
from sem3d.datasets.view import FEATURE_STRIDE
from sem3d.evaluation.correspondence import MATCH_FIELDS, match_metrics, match_rate
from sem3d.evaluation.figures import draw_matches, feature_sheet
from sem3d.losses.depth import depth_loss
from sem3d.losses.info_nce import InfoNCEForm, point_info_nce_of_items
from sem3d.methods.initial_parts import start_image_network
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import FROZEN_EFFECT, HELD_OUT, TRAIN, Found, Method, Sources
from sem3d.methods.unmatched import UNMATCHED, count_unmatched, weigh_unmatched
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.pixel_heads import PixelHead
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig
from sem3d.networks.sparse import SparseTensor
from sem3d.networks.sparse_unet import (
    INPUT_CHANNELS,
    SLIM,
    SparseUNet,
    SparseUNetConfig,
    VoxelInput,
    voxel_tensor,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Pri3DConfig:
    """Networks and losses."""

    losses: Literal["view", "geo", "view+geo"] = "view+geo"
    """Which contrastive losses; their sum is unweighted."""
    unet: ResidualUNetConfig = field(default_factory=ResidualUNetConfig)
    """The 2D network that is kept for downstream tasks."""
    sparse_unet: SparseUNetConfig = field(default_factory=SparseUNetConfig)
    """The 3D network of the geometric loss, its backend included."""
    voxel_input: VoxelInput = "occupancy"
    """What a voxel tells the 3D network: that it is there (paper), or its RGB in [0, 1] (released)."""
    projection_dim: Width = 64
    """Dimensions in which pixel and voxel features are compared."""
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 0.4
    """Temperature of PointInfoNCE."""
    loss_form: InfoNCEForm = "released"
    """released: normalised features, both directions, mean. paper: equation 1 as printed. one_sided: first direction only."""
    depth_head: bool = False
    """Also predict depth, as all released weights do; the paper does not mention it."""

    @property
    def uses_view(self) -> bool:
        """Whether the view loss is on."""
        return "view" in self.losses

    @property
    def uses_geo(self) -> bool:
        """Whether the geometric loss is on."""
        return "geo" in self.losses


@dataclass(frozen=True)
class Pri3DBatch:
    """Pairs of frames; cells are (u, v) on the feature grid, row numbers of voxels count over the whole batch."""

    image: UInt8[Tensor, "batch view 3 height width"]
    cell: Int[Tensor, "batch match view 2"]
    usable: UInt8[Tensor, " batch"]
    """0 where the pair could not be read and is black."""
    view_valid: UInt8[Tensor, " batch"]
    depth: Float[Tensor, "batch view height width"] | None = None
    voxel: Int[Tensor, "voxel 4"] | None = None
    voxel_color: UInt8[Tensor, "voxel 3"] | None = None
    geo_voxel: Int[Tensor, "batch view match"] | None = None
    geo_cell: Int[Tensor, "batch view match 2"] | None = None
    geo_valid: UInt8[Tensor, "batch view"] | None = None


def paper() -> Experiment:
    """Return the setting of section 4: ResNet50, 240 x 320, global batch 64, 60,000 steps, lr 0.1, by 0.99 every 1000."""
    return Experiment(method=Pri3DConfig(), data=FramePairs(), init="imagenet")


def released() -> Experiment:
    """Return the setting of the authors' scripts/scannet.sh: depth head, colour voxels, z thresholds, polynomial decay, BatchNorm
    schedule.
    """
    return Experiment(
        method=Pri3DConfig(voxel_input="color", depth_head=True),
        data=FramePairs(
            view_criterion="depth",
            view_threshold=0.05,
            geo_criterion="depth",
            geo_threshold=0.2,
            voxel_rounding="truncate",
            voxel_point="corner",
            chunk="released",
        ),
        optim=OptimConfig(dampening=0.1),
        schedule=ScheduleConfig(steps=65_600, decay="polynomial", batch_norm_momentum="released"),
        init="imagenet",
    )


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: EfficientNet-Lite0, 96 x 128, a slim 3D network on 10 cm voxels."""
    return Experiment(
        method=Pri3DConfig(
            unet=ResidualUNetConfig(encoder="efficientnet_lite0"),
            sparse_unet=SLIM,
            projection_dim=32,
        ),
        data=FramePairs(
            height=96,
            width=128,
            matches=256,
            view_threshold=0.04,
            geo_threshold=0.1,
            voxel_size=0.1,
        ),
        optim=OptimConfig(kind="adamw", lr=2e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=8, checkpoint_every=20),
        init="imagenet",
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, 1000 steps of 32 pairs."""
    return longer_on_gpu(laptop(), steps=1000, batch_size=32, checkpoint_every=200)


class Pri3D(Method):
    """The 2D network with its projection heads and, for the geometric loss, the 3D network."""

    Config = Pri3DConfig
    Data = FramePairs
    Batch = Pri3DBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("match_rate_5px", "max")
    label_budget = "data.share"
    handed_on = ("method.unet.",)
    compiled = ("unet",)
    evaluations: ClassVar = {
        "correspondence": "sem3d.pipelines.correspondence:correspondence",
        "probe": "sem3d.pipelines.probe:probe",
    }
    prediction = "sem3d.pipelines.predicted_picture:predict_features"
    published = "sem3d.reporting.papers.pri3d:published_table"
    effects: ClassVar = {
        "match rate": "sem3d.pipelines.correspondence:matched",
        FROZEN_EFFECT: "sem3d.pipelines.probe:probed",
    }

    def __init__(self, experiment: Experiment[Pri3DConfig, FramePairs], sources: Sources | None = None):
        super().__init__(experiment)
        config = experiment.method
        self.unet = ResidualUNet(config.unet)
        if config.uses_geo:
            self.sparse_unet = SparseUNet(config.sparse_unet, INPUT_CHANNELS[config.voxel_input])
            self.pixel_projection = nn.Linear(self.unet.dim, config.projection_dim)
            self.voxel_projection = nn.Linear(self.sparse_unet.out_channels, config.projection_dim)
        if config.depth_head:
            self.depth = PixelHead(self.unet.dim, 1)

    @classmethod
    def sources(cls, experiment: Experiment[Pri3DConfig, FramePairs]) -> dict[str, Samples]:
        """Open augmented pairs of training frames and plain pairs of held-out frames, with the columns that the losses need."""
        method, run = experiment.method, experiment.run
        opened = pair_samples(experiment.data, run.storage, run.seed, voxels=method.uses_geo, depth=method.depth_head)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Load the encoder (imagenet, a file), or every part that a sem3d checkpoint and this method share."""
        return start_image_network(self, source, without)

    def forward(self, batch: Pri3DBatch, step: int) -> dict[str, Tensor]:
        """Return losses ``view``, ``geo`` and ``depth``, those that are on (paper sections 3.1 to 3.3)."""
        voxels = self.voxels(batch)  # first: a GPU is waited for while it has nothing else to do
        return self.losses(self.features(batch.image), voxels, batch)

    def voxels(self, batch: Pri3DBatch) -> SparseTensor | None:
        """Return the input of the 3D network, where the geometric loss is on."""
        if not self.experiment.method.uses_geo:
            return None
        given, dtype = self.experiment.method.voxel_input, self.voxel_projection.weight.dtype
        return voxel_tensor(present(batch.voxel), present(batch.voxel_color), given, dtype)

    def losses(
        self,
        features: Float[Tensor, "batch view dim half_height half_width"],
        voxels: SparseTensor | None,
        batch: Pri3DBatch,
    ) -> dict[str, Tensor]:
        """Return what :meth:`forward` gives, from the features of the batch's images and its :meth:`voxels`."""
        config = self.experiment.method
        losses = {}
        if config.uses_view:
            anchor, positive = (cell_features(features[:, view], batch.cell[:, :, view]) for view in range(2))
            losses["view"] = self.contrast(anchor, positive, batch.view_valid)
        if voxels is not None:
            losses["geo"] = self.geometric_loss(features.flatten(0, 1), voxels, batch)
        if config.depth_head:
            size = batch.image.shape[-2:]
            predicted = self.depth(features.flatten(0, 1), tuple(size))[:, 0]
            predicted = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
            losses["depth"] = depth_loss(predicted, present(batch.depth).flatten(0, 1).to(predicted.dtype))
        return losses

    def features(
        self, image: UInt8[Tensor, "batch view 3 height width"]
    ) -> Float[Tensor, "batch view dim half_height half_width"]:
        """Return decoder features of all views, not normalised."""
        return self.image_features(image.flatten(0, 1)).unflatten(0, image.shape[:2])

    def image_features(
        self, image: UInt8[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch dim half_height half_width"]:
        """Return decoder features of images, not normalised."""
        return self.unet(normalise_images(image))

    def contrast(
        self,
        anchor: Float[Tensor, "item match dim"],
        positive: Float[Tensor, "item match dim"],
        valid: UInt8[Tensor, " item"],
    ) -> Float[Tensor, ""]:
        """Return PointInfoNCE of each item, averaged over all items; an item that is not valid counts as zero."""
        config = self.experiment.method
        rows = valid.bool()[:, None].expand(anchor.shape[:2])
        return point_info_nce_of_items(anchor, positive, config.temperature, config.loss_form, rows)

    def geometric_loss(
        self, features: Float[Tensor, "image dim half_height half_width"], tensor: SparseTensor, batch: Pri3DBatch
    ) -> Float[Tensor, ""]:
        """Return contrast of projected pixel features with projected voxel features, each view an item."""
        voxels = self.voxel_projection(self.sparse_unet(tensor))
        rows = present(batch.geo_voxel).flatten(0, 1)
        if not len(voxels):
            voxels = torch.cat([voxels, voxels.new_zeros(1, voxels.shape[1])])
        pixels = self.pixel_projection(cell_features(features, present(batch.geo_cell).flatten(0, 1)))
        return self.contrast(pixels, voxels[rows], present(batch.geo_valid).flatten())

    def tally(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Count pairs, and those of them without a match."""
        return count_unmatched(columns)

    def weigh(self, counts: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """Return the shares of pairs without a match; a warning where one is over the limit for samples that cannot be used."""
        return weigh_unmatched(counts, self.experiment.run.quarantine_limit)

    def evaluate(self, batch: Pri3DBatch) -> Found:
        """Return losses and nearest-neighbour matches of the held-out pairs that could be read, as sums."""
        voxels, features = self.voxels(batch), self.features(batch.image)
        # The losses are means over all pairs of the batch, and those that could not be read have a loss of zero.
        losses = self.losses(features, voxels, batch)
        sums = {f"loss_{name}": loss.double() * len(features) for name, loss in losses.items()}
        if self.experiment.method.uses_geo:
            sums["geo_matched"] = present(batch.geo_valid).double().sum() / 2
        sums["view_matched"] = batch.view_valid.double().sum()
        sums["pairs"] = batch.usable.double().sum()
        counts = [
            match_rate(views[0].float(), views[1].float(), cells[:, 0], cells[:, 1], pixel_stride=FEATURE_STRIDE)
            for views, cells, valid in zip(features, batch.cell, batch.view_valid, strict=True)
            if valid
        ]
        if counts:
            total = sum(counts[1:], counts[0])
            sums |= {f"match_{name}": getattr(total, name).double() for name in MATCH_FIELDS}
        return Found(sums)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return mean losses, the share of pairs with any match, and of matches found within 5 px beside that of guessing."""
        sums = found.sums
        for kind, meaning in UNMATCHED.items():
            if sums["pairs"] > 0 and f"{kind}_matched" in sums and not sums[f"{kind}_matched"]:
                logger.warning("none of the %d held-out pairs has a %s", int(sums["pairs"]), meaning)
        means = {name: value for name, value in sums.items() if name.startswith("loss_") or name.endswith("_matched")}
        metrics = {name: float(value / sums["pairs"].clamp(min=1)) for name, value in means.items()}
        return metrics | match_metrics(sums)

    def figures(self, batch: Pri3DBatch) -> dict[str, np.ndarray]:
        """Return matches of the first pair drawn between its frames, and features of some frames coloured by PCA."""
        images = batch.image[:3].flatten(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        pixels = (batch.cell[0] * FEATURE_STRIDE).cpu().numpy()
        with torch.no_grad():
            features = self.features(batch.image[:3]).flatten(0, 1).float().cpu().numpy()
        pictures = {"features": feature_sheet(list(images), list(features))}
        if batch.view_valid[0]:
            pictures["matches"] = draw_matches(images[0], images[1], pixels[:, 0], pixels[:, 1])
        return pictures


def present(column: Tensor | None) -> Tensor:
    """Return a column that a loss needs. Raises ValueError where the batch was made without it."""
    if column is None:
        raise ValueError("the batch lacks a column of a loss that is on")
    return column


def cell_features(
    features: Float[Tensor, "image dim height width"], cells: Int[Tensor, "image match 2"]
) -> Float[Tensor, "image match dim"]:
    """Return features at cells (u, v) of each image's own map."""
    images = torch.arange(len(features), device=features.device)[:, None]
    return features.permute(0, 2, 3, 1)[images, cells[..., 1].long(), cells[..., 0].long()]
