"""Experiments of PPKT by name."""

from dataclasses import replace

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig
from sem3d.datasets.single_frames import SingleFrames
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.ppkt.config import PPKTConfig, TeacherConfig
from sem3d.networks.sparse_unet import RES16UNET18A, SLIM


def paper() -> Experiment:
    """Return the paper's setting: ResNet50 on 480 x 640, Res16UNet34C on 2.5 cm, global batch 24, 60,000 steps, lr 0.5."""
    return Experiment(
        method=PPKTConfig(),
        data=SingleFrames(),
        optim=OptimConfig(lr=0.5, weight_decay=1e-4),
        run=RunConfig(batch_size=24),
    )


def paper18() -> Experiment:
    """Return the paper's setting with Res16UNet18A."""
    return replace(paper(), method=PPKTConfig(sparse_unet=RES16UNET18A))


def slidr() -> Experiment:
    """Return SLidR's setting: 4096 pairs in a batch of 4, all of them negatives, temperature 0.07, 64 dimensions, 50 epochs."""
    return Experiment(
        method=PPKTConfig(negatives="batch", projection_dim=64, temperature=0.07),
        data=SingleFrames(height=240, width=320, matches=1024),
        optim=OptimConfig(lr=0.5, dampening=0.1, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=0, epochs=50.0, decay="cosine"),
        run=RunConfig(batch_size=4),
    )


def laptop() -> Experiment:
    """Return a setting for minutes on two CPU cores: EfficientNet-Lite0 at 96 x 128, a slim 3D network on 10 cm voxels."""
    return Experiment(
        method=PPKTConfig(
            teacher=TeacherConfig(encoder="efficientnet_lite0", strides=(16, 32)),
            sparse_unet=SLIM,
            projection_dim=32,
        ),
        data=SingleFrames(height=96, width=128, matches=256, voxel_size=0.1),
        optim=OptimConfig(kind="adamw", lr=2e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(steps=200, warmup=10, decay="polynomial"),
        run=RunConfig(batch_size=8, checkpoint_every=20),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, 1000 steps of 32 frames."""
    return longer_on_gpu(laptop(), steps=1000, batch_size=32, checkpoint_every=200)


PRESETS = {"paper": paper, "paper18": paper18, "slidr": slidr, "laptop": laptop, "gpu": gpu}
