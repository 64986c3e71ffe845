"""PPKT (Liu et al., 2104.04687): 3D features that know what a 2D network knows, learnt from single RGB-D frames.

A frozen 2D network gives each pixel a feature: its tapped maps go through a 1x1 convolution and bilinear upsampling, which are
trained. The pixels of the same frame, back-projected, are the points of a sparse 3D network, whose features go through a linear
layer. Of all sampled pixels, a point has to pick the one that shows it (PPNCE: PointInfoNCE, one-sided). No labels, no pairs of
frames. The 3D network is what is kept.

Presets: ``paper`` is the paper's setting as third parties quote it (the authors published no code), ``paper18`` the same with
the smaller network of its ablation, ``slidr`` that of the re-implementation in SLidR (2203.16258): temperature 0.07, 64
dimensions, negatives of the whole batch, cosine decay. ``laptop`` is a small network for two CPU cores. Where the paper is
silent: the learning rate falls as PointContrast's does, voxels have their colours, and strengths of the augmentation are those
of :mod:`sem3d.datasets.single_frames`. Unlike SLidR: frames are indoor ones of 240 x 320 pixels instead of crops of 224 x 416
(its teacher of MoCo v2 is ``--method.teacher.weights FILE``), cells of the teacher's maps lie where they look
(:mod:`sem3d.networks.cell_centres`) instead of with aligned corners, voxels are cubes, and BatchNorm sees the global batch with a
momentum of 0.1 instead of 0.05. Features are upsampled at the sampled pixels only, which gives the same numbers in a fraction of
the memory.

Arms of the paper's ablations: ``method.loss`` (distillation regresses the teacher's own features, as a trained projection
would let both sides agree on a constant; global contrasts whole frames by their mean features; a further baseline, pseudo_labels,
learns the classes that a run of 2D segmentation gives the pixels), ``method.teacher.*`` (weights
``imagenet``, ``scratch`` for a random one, a file in torchvision's or MoCo's layout, or a run of sem3d with a 2D network;
encoder; tapped strides), ``method.upsampling``, image size, and ``--init`` with a run of
Pri3D, whose 3D network it takes. PPKT together with PointContrast's loss is :mod:`sem3d.methods.ppkt.with_pointcontrast`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from sem3d.config import Experiment
from sem3d.datasets.single_frames import SingleFrames, frame_samples
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.correspondence import (
    MATCH_FIELDS,
    THRESHOLD_PX,
    match_errors,
    match_metrics,
    match_rate,
    nearest_cells,
    pixel_positions,
)
from sem3d.evaluation.figures import draw_matches, feature_sheet
from sem3d.losses.pixel_point import global_contrast, pixel_distillation, pixel_labels, pixel_point_nce
from sem3d.methods.frozen import FrozenPart
from sem3d.methods.initial_parts import start_point_network
from sem3d.methods.method import FROZEN_EFFECT, HELD_OUT, TRAIN, Found, Method, Sources
from sem3d.methods.ppkt.config import PPKTConfig
from sem3d.methods.ppkt.presets import PRESETS
from sem3d.methods.ppkt.teacher import Labeller, load_teacher, teacher_network
from sem3d.methods.voxel_features import VoxelFeatures
from sem3d.networks.cell_centres import CellGrid
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.sparse_unet import INPUT_CHANNELS, SparseUNet
from sem3d.networks.tapped_encoder import TappedEncoder, UpsamplingProjection, values_at_pixels

logger = logging.getLogger(__name__)

SEARCH_STRIDE = 4
"""Pixels between two of those that a point's own is searched among in an evaluation."""
FRAMES_SHOWN = 3
GIVEN = ("distillation", "pseudo_labels")
"""Losses that take the teacher's answers as they are."""


@dataclass(frozen=True)
class PPKTBatch:
    """Frames; voxels of all frames follow one another, and pairs name their rows."""

    image: UInt8[Tensor, "batch 3 height width"]
    voxel: Int[Tensor, "voxel 4"]
    voxel_color: UInt8[Tensor, "voxel 3"]
    pair_voxel: Int[Tensor, "batch pair"]
    pair_pixel: Int[Tensor, "batch pair 2"]
    pair_valid: UInt8[Tensor, " batch"]
    usable: UInt8[Tensor, " batch"]
    """0 where the frame could not be read and is black."""


class PPKT(VoxelFeatures, Method):
    """The 3D network with its projection, the projection of pixels, and the frozen 2D network."""

    Config = PPKTConfig
    Data = SingleFrames
    Batch = PPKTBatch
    presets: ClassVar = PRESETS
    score = ("match_rate_5px", "max")
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

    def __init__(self, experiment: Experiment, sources: Sources | None = None):
        super().__init__(experiment)
        config: PPKTConfig = experiment.method
        with torch.random.fork_rng(devices=()):  # a random teacher is one of its seed, whatever is drawn besides
            torch.manual_seed(experiment.run.seed)
            teacher = teacher_network(config)
        if config.loss == "global" and experiment.run.batch_size // experiment.optim.accumulate < 2:
            raise UserError(
                "method.loss global compares frames: give at least two a micro-batch (run.batch_size / optim.accumulate)"
            )
        self.teacher = FrozenPart(teacher, config.teacher.weights, load_teacher)
        self.measured_grids: dict[tuple[int, int], tuple[CellGrid, ...]] = {}
        self.sparse_unet = SparseUNet(config.sparse_unet, INPUT_CHANNELS[config.voxel_input])
        dim = config.projection_dim
        if config.loss in GIVEN:
            dim = sum(teacher.channels)
        else:
            self.upsampling_projection = UpsamplingProjection(teacher.channels, dim, config.upsampling)
        self.point_projection = nn.Linear(self.sparse_unet.out_channels, dim)

    @classmethod
    def sources(cls, experiment: Experiment[PPKTConfig, SingleFrames]) -> dict[str, Samples]:
        """Open augmented training frames and plain held-out frames."""
        opened = frame_samples(experiment.data, experiment.run.storage, experiment.run.seed)
        return {TRAIN: opened["train"], HELD_OUT: opened["val"]}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start the student from nothing, or from every part that a sem3d checkpoint and this method share."""
        return start_point_network(self, source, without, "; weights of the teacher are method.teacher.weights")

    def forward(self, batch: PPKTBatch, step: int) -> dict[str, Tensor]:
        """Return the loss that is on, by its name (paper, section 3)."""
        return self.losses(self.voxel_features(batch), batch)

    def losses(self, voxels: Float[Tensor, "row dim"], batch: PPKTBatch) -> dict[str, Tensor]:
        """Return the losses of the features of the 3D network."""
        config = self.experiment.method
        points = self.points_of(voxels, batch)
        pixels = self.pixels(self.maps(batch), batch.pair_pixel, batch)
        valid = pair_mask(batch)
        if config.loss == "ppnce":
            loss = pixel_point_nce(points, pixels, valid, config.temperature, config.negatives)
        elif config.loss == "global":
            loss = global_contrast(points, pixels, valid, config.temperature)
        elif config.loss == "pseudo_labels":
            loss = pixel_labels(points, pixels, valid)
        else:
            loss = pixel_distillation(points, pixels, valid)
        return {config.loss: loss}

    def voxel_features(self, batch: PPKTBatch) -> Float[Tensor, "row dim"]:
        """Return features of the 3D network, one row a voxel."""
        return self.features_of_voxels(batch.voxel, batch.voxel_color)

    def points(self, batch: PPKTBatch) -> Float[Tensor, "batch pair dim"]:
        """Return projected features of the voxel of each pair."""
        return self.points_of(self.voxel_features(batch), batch)

    def points_of(self, voxels: Float[Tensor, "row dim"], batch: PPKTBatch) -> Float[Tensor, "batch pair projected"]:
        """Return projected features of the voxel of each pair, of those of all voxels."""
        voxels = self.point_projection(voxels)
        if not len(voxels):
            voxels = torch.cat([voxels, voxels.new_zeros(1, voxels.shape[1])])
        return voxels[batch.pair_voxel.long()]

    def maps(self, batch: PPKTBatch) -> tuple[Tensor, ...]:
        """Return the tapped maps of the frozen network."""
        return self.teacher(normalise_images(batch.image))

    def pixels(
        self, maps: tuple[Tensor, ...], positions: Num[Tensor, "batch pixel 2"], batch: PPKTBatch
    ) -> Float[Tensor, "batch pixel dim"]:
        """Return projected features at positions (u, v) of the images; the teacher's own for losses in :data:`GIVEN`."""
        upsampling, grids = (
            self.experiment.method.upsampling,
            self.grids((batch.image.shape[-2], batch.image.shape[-1])),
        )
        if self.experiment.method.loss in GIVEN:
            of_maps = zip(maps, grids, strict=True)
            return torch.cat([values_at_pixels(one, positions, grid, upsampling) for one, grid in of_maps], dim=2)
        return self.upsampling_projection(maps, positions, grids)

    def grids(self, size: tuple[int, int]) -> tuple[CellGrid, ...]:
        """Return where the cells of the tapped maps look in images of ``size``; measured once, as the teacher stays as it is."""
        if size not in self.measured_grids:
            assert isinstance(self.teacher.network, TappedEncoder | Labeller)
            self.measured_grids[size] = self.teacher.network.grids(size)
        return self.measured_grids[size]

    def searched(self, batch: PPKTBatch, maps: tuple[Tensor, ...], frame: int) -> Float[Tensor, "dim rows columns"]:
        """Return projected features of every fourth pixel of a frame along both axes, among which a point's own is searched.

        A frame at a time: a teacher has thousands of channels.
        """
        rows, columns = (max(1, length // SEARCH_STRIDE) for length in batch.image.shape[-2:])
        cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).flip(1).to(batch.image.device)
        positions = pixel_positions(cells, SEARCH_STRIDE)[None]
        features = self.pixels(tuple(one[frame : frame + 1] for one in maps), positions, batch)
        return features[0].T.unflatten(1, (rows, columns))

    def tally(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Count frames, and those of which the augmented image shows no point."""
        usable = columns["usable"] > 0
        return {"frames": float(usable.sum()), "unmatched": float((usable & (columns["pair_valid"] == 0)).sum())}

    def weigh(self, counts: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """Return the share of frames without a pair; a warning where it is over the limit for samples that cannot be used."""
        if not counts.get("frames"):
            return {}, ""
        share = counts["unmatched"] / counts["frames"]
        warning = (
            f"{counts['unmatched']:.0f} of {counts['frames']:.0f} training frames so far ({100 * share:.0f} %) show no point: "
            "nothing is learnt there. Is there depth where the image is, and data.window.resize not too wide?"
        )
        return {"unmatched_frames": share}, warning if share > self.experiment.run.quarantine_limit else ""

    def evaluate(self, batch: PPKTBatch) -> Found:
        """Return the loss with negatives of the same frame, and matches of points and pixels, of held-out frames as sums."""
        config = self.experiment.method
        maps, points, valid = self.maps(batch), self.points(batch), pair_mask(batch)
        pixels = self.pixels(maps, batch.pair_pixel, batch)
        if config.loss in GIVEN:
            loss = {"distillation": pixel_distillation, "pseudo_labels": pixel_labels}[config.loss]
            sums = {f"loss_{config.loss}": loss(points, pixels, valid).double() * len(points)}
        else:
            sums = {"loss_ppnce": pixel_point_nce(points, pixels, valid, config.temperature).double() * len(points)}
        sums |= {"matched": batch.pair_valid.double().sum(), "frames": batch.usable.double().sum()}
        counts = []
        for frame, (one, pixel) in enumerate(zip(points, batch.pair_pixel, strict=True)):
            if batch.pair_valid[frame]:
                row, own, truth = as_matches(one, pixel)
                map_ = self.searched(batch, maps, frame).float()
                counts.append(match_rate(row, map_, own, truth, pixel_stride=SEARCH_STRIDE))
        if counts:
            total = sum(counts[1:], counts[0])
            sums |= {f"match_{name}": getattr(total, name).double() for name in MATCH_FIELDS}
        return Found(sums)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return mean loss, the share of frames with any pair, and of pairs found within 5 px beside that of guessing."""
        sums = found.sums
        if sums["frames"] > 0 and not sums["matched"]:
            logger.warning("none of the %d held-out frames has a pair of a point and a pixel", int(sums["frames"]))
        named = ("loss_ppnce", *(f"loss_{name}" for name in GIVEN), "matched")
        metrics = {name: float(sums[name] / sums["frames"].clamp(min=1)) for name in named if name in sums}
        return metrics | match_metrics(sums)

    def figures(self, batch: PPKTBatch) -> dict[str, np.ndarray]:
        """Return features of pixels and of points of some frames, coloured by one PCA, and matches of the first frame."""
        images = [image.permute(1, 2, 0).cpu().numpy() for image in batch.image[:FRAMES_SHOWN]]
        with torch.no_grad():
            points, maps = F.normalize(self.points(batch), dim=2).float(), self.maps(batch)
            searched = [F.normalize(self.searched(batch, maps, frame), dim=0).float() for frame in range(len(images))]
        rows = []
        for frame, map_ in enumerate(searched):
            painted = torch.full_like(map_, torch.nan)
            column, row = (batch.pair_pixel[frame] // SEARCH_STRIDE).long().T
            inside = (row < map_.shape[1]) & (column < map_.shape[2]) & batch.pair_valid[frame].bool()
            painted[:, row[inside], column[inside]] = points[frame][inside].T
            rows += [map_.cpu().numpy(), painted.cpu().numpy()]
        pictures = {"features": feature_sheet([image for image in images for _ in range(2)], rows)}
        if batch.pair_valid[0]:
            row, own, truth = as_matches(points[0], batch.pair_pixel[0])
            cells = nearest_cells(row, searched[0], own)
            near = match_errors(cells, truth, SEARCH_STRIDE) <= THRESHOLD_PX
            found, true = (pixel_positions(one, SEARCH_STRIDE).cpu().numpy() for one in (cells, truth))
            pictures["matches"] = draw_matches(images[0], images[0], true, found, correct=near.cpu().numpy())
        return pictures


def as_matches(
    points: Float[Tensor, "pair dim"], pixel: Int[Tensor, "pair 2"]
) -> tuple[Float[Tensor, "dim 1 pair"], Int[Tensor, "pair 2"], Float[Tensor, "pair 2"]]:
    """Return points as a map of one row, their cells (u, v) in it, and the cells, fractions and all, of the pixels that are
    theirs.
    """
    own = F.pad(torch.arange(len(points), device=points.device)[:, None], (0, 1))
    return points.T[:, None].float(), own, (pixel.double() - (SEARCH_STRIDE - 1) / 2) / SEARCH_STRIDE


def pair_mask(batch: PPKTBatch) -> Tensor:
    """Return which pairs there are (batch, pair)."""
    return batch.pair_valid.bool()[:, None].expand(batch.pair_voxel.shape)
