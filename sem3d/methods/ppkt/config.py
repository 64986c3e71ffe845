"""Settings of PPKT: teacher, student and loss."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from sem3d.bounds import Bounds, Width
from sem3d.config import Weights
from sem3d.losses.pixel_point import Negatives
from sem3d.networks.encoders import EncoderName
from sem3d.networks.sparse_unet import RES16UNET34C, SparseUNetConfig, VoxelInput
from sem3d.networks.tapped_encoder import Upsampling


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """The frozen 2D network."""

    encoder: EncoderName = "resnet50"
    """Network of the image."""
    weights: Weights = "imagenet"
    """imagenet, scratch (random: a control), a weights file, or the folder of a run with a 2D network."""
    strides: tuple[int, ...] = (32,)
    """Tapped maps by stride, 4, 8, 16 or 32: put side by side; not for pseudo_labels, which takes classes of pixels."""


@dataclass(frozen=True, kw_only=True)
class PPKTConfig:
    """Teacher, student and loss."""

    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    """The 2D network that is learnt from."""
    sparse_unet: SparseUNetConfig = RES16UNET34C
    """The 3D network that is kept for downstream tasks."""
    voxel_input: VoxelInput = "color"
    """What a voxel tells the 3D network: that it is there, or its RGB in [0, 1]."""
    loss: Literal["ppnce", "distillation", "global", "pseudo_labels"] = "ppnce"
    """PPNCE, or one of the two that the paper holds against it, or cross entropy with the classes that a 2D network gives the
    pixels, a run of semantic_segmentation_2d in teacher.weights."""
    negatives: Negatives = "item"
    """Pixels that a point's own competes with: those of its frame, or of all frames of the global batch, of each
    micro-batch where optim.accumulate is above 1 (SLidR)."""
    upsampling: Upsampling = "bilinear"
    """Upsampling of the teacher's maps to pixels; none: a pixel has the feature of the cell that looks
    nearest to it."""
    projection_dim: Width = 128
    """Dimensions in which pixels and points are compared; distillation and pseudo_labels take the teacher's."""
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 0.04
    """Temperature of PPNCE."""
