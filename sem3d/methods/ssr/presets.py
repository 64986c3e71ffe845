"""Experiments of SSR: the paper's, its authors', and one for two CPU cores."""

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.object_views import ObjectRenders
from sem3d.methods.ssr.config import SSRConfig
from sem3d.networks.mesh_decoder import MeshDecoderConfig
from sem3d.networks.shape_encoder import ShapeEncoderConfig
from sem3d.networks.siamese_viewpoint import SiameseViewpointConfig


def paper() -> Experiment:
    """Return the setting of section 4 of the paper: batch 64 and 32, Adam 1e-4, 200,000 steps, a pass every 400.

    The paper does not say how often the val file is looked at: every 2000 steps.
    """
    return Experiment(
        method=SSRConfig(cycle_views=1),
        data=ObjectRenders(labelled=2),
        optim=OptimConfig(kind="adamw", lr=1e-4),
        schedule=ScheduleConfig(steps=200_000, decay="exponential", gamma=0.3, gamma_every=150_000),
        run=RunConfig(checkpoint_every=2000, evaluate_every=2000),
    )


def released() -> Experiment:
    """Return the setting of the authors' exp_configs/ubl.py.

    First objects, object 0 as reference, no rotation test, the gate on one batch, val file every 200 steps, half the loss.
    """
    return override(
        paper(),
        {
            "method.viewpoint.initial": "default",
            "method.rule": "released",
            "method.references": "by_rule",
            "method.gate": 0.99,
            "method.gate_on": "last_batch",
            "method.viewpoint_batch": 64,
            "method.pairs": "all",
            "method.reconstruction": 0.5,
            "data.labelled_order": "first",
            "data.protocol": "released",
            "run.evaluate_every": 200,
        },
    )


def laptop() -> Experiment:
    """Return a setting for about ten minutes on one CPU core.

    Slim networks, a sphere of 162 vertices, labels without the rotation test.
    """
    return Experiment(
        method=SSRConfig(
            encoder=ShapeEncoderConfig(width=16, hidden=256, dim=128),
            decoder=MeshDecoderConfig(subdivisions=2, hidden=256),
            viewpoint=SiameseViewpointConfig(width=16, dim=256),
            rule="released",
            references="by_rule",
            cycle=100,
            gate=0.9,
            gate_on="last_batch",
            viewpoint_batch=64,
            viewpoint_lr=1e-3,
        ),
        data=ObjectRenders(labelled=2),
        optim=OptimConfig(kind="adamw", lr=1e-3),
        schedule=ScheduleConfig(steps=700, warmup=10, decay="cosine"),
        run=RunConfig(batch_size=32, checkpoint_every=350, evaluate_every=100),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, a sphere of 642 vertices, 2000 steps of 64 images."""
    changes = {
        "method.decoder.subdivisions": 3,
        "schedule.steps": 2000,
        "run.batch_size": 64,
        "run.checkpoint_every": 500,
        "run.evaluate_every": 250,
    }
    return override(laptop(), changes)
