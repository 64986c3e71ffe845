"""Settings of 3D detection, and its experiments by name."""

from dataclasses import dataclass, field, replace
from typing import Literal

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.box_motion import BoxAugmentation
from sem3d.datasets.scene_boxes import SceneBoxes
from sem3d.evaluation.box_choice import BoxChoice
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.networks.sparse_unet import RES16UNET34C, SLIM, SparseUNetConfig, VoxelInput
from sem3d.networks.vote_net import VoteNetConfig


@dataclass(frozen=True, kw_only=True)
class ObjectDetection3DConfig:
    """The network, whose weights may come from pretraining, what of it is trained, and the boxes that are kept."""

    sparse_unet: SparseUNetConfig = RES16UNET34C
    """The 3D network; the same as in pretraining where --init names a pretrained run."""
    voxel_input: VoxelInput = "color"
    """What a voxel tells the network: that it is there, or its RGB in [0, 1]; as in pretraining."""
    trained: Literal["all", "decoder", "head"] = "all"
    """What is trained: all, all but the encoder, or what VoteNet puts above the 3D network."""
    votes: VoteNetConfig = field(default_factory=VoteNetConfig)
    """VoteNet above the seeds."""
    kept_boxes: BoxChoice = field(default_factory=BoxChoice)
    """Proposals that are answers."""


def paper() -> Experiment:
    """Return VoteNet's setting (Adam at 1e-3, 180 epochs) with PPKT's batch of 64 and 2.5 cm voxels."""
    return Experiment(
        method=ObjectDetection3DConfig(),
        data=SceneBoxes(),
        optim=OptimConfig(kind="adam", lr=1e-3, weight_decay=0.0),
        schedule=ScheduleConfig(steps=0, epochs=180.0, decay="cosine"),
        run=RunConfig(batch_size=64),
    )


def sun_rgbd() -> Experiment:
    """Return VoteNet's setting for SUN RGB-D: 20,000 points, x mirrored, turns of 30 degrees, scales of 15 %."""
    moved = BoxAugmentation(mirrored="x", turn=30.0, scale=0.15)
    return replace(paper(), data=SceneBoxes(boxes="sun_rgbd", most_points=20_000, moved=moved))


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: a slim network on 10 cm voxels, 256 seeds and 64 proposals."""
    return Experiment(
        method=ObjectDetection3DConfig(
            sparse_unet=SLIM, votes=VoteNetConfig(dim=64, proposals=64, proposal_dim=64, group_votes=8)
        ),
        data=SceneBoxes(voxel_size=0.1, most_points=20_000, seeds=256),
        optim=OptimConfig(kind="adamw", lr=5e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=4, checkpoint_every=20),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 1000 steps of 8 scenes."""
    return longer_on_gpu(laptop(), steps=1000, batch_size=8, checkpoint_every=200)
