"""Experiments of the three methods of Semantic SRN: the paper's, its authors', and those for two CPU cores."""

from sem3d.config import Experiment, OptimConfig, OptimizerConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.posed_views import PosedViews
from sem3d.methods.semantic_srn.config import (
    SemanticSRNConfig,
    SemanticSRNInstancesConfig,
    SemanticSRNPartsConfig,
)
from sem3d.networks.srn.hyper_network import FieldConfig
from sem3d.networks.srn.ray_marcher import RayMarcherConfig
from sem3d.networks.srn.scene_network import SceneConfig

ADAM = OptimConfig(kind="adam", lr=4e-4)
RELEASED_LATENTS = OptimizerConfig(kind="sparse_adam", lr=4e-4, beta1=0.5, beta2=0.5, eps=1e-5)
RELEASED = SceneConfig(marcher=RayMarcherConfig(hidden=16), color_layers=6, alpha=True)
RELEASED_DATA = {"data.transparent": "released", "data.mask_order": "first"}
SLIM = SceneConfig(
    field=FieldConfig(latent=64, width=64), marcher=RayMarcherConfig(hidden=16), color_layers=4, alpha=True
)
FAST_LATENTS = OptimizerConfig(kind="sparse_adam", lr=1e-3, eps=1e-5)


def paper() -> Experiment:
    """Return the paper's pretraining: 20,000 steps of 92 views at 64 px, 85,000 of 16 at 128 px, Adam 4e-4, whole views.

    Scored at the end, on one view of each training object.
    """
    return Experiment(
        method=SemanticSRNConfig(),
        data=PosedViews(evaluation_views=1),
        optim=ADAM,
        schedule=ScheduleConfig(steps=85_000, decay="constant"),
        run=RunConfig(batch_size=16, checkpoint_every=1000, evaluation_batch_size=4),
    )


def released() -> Experiment:
    """Return the setting of the authors' scripts: an LSTM of 16 units, opacity, 5,000 steps of 4 views, 150,000 of 8."""
    changes = {
        "method.scene": RELEASED,
        "method.latents": RELEASED_LATENTS,
        "method.stage_steps": (5_000, 150_000),
        "method.stage_batches": (4, 8),
        "schedule.steps": 150_000,
        "run.batch_size": 8,
    }
    return override(paper(), changes | RELEASED_DATA)


def laptop() -> Experiment:
    """Return a setting for two CPU cores: a slim network, 64 px, 128 rays of a view of 16 objects a step.

    Twice the rays take 1.6 times the time and bring no more a step.
    """
    return Experiment(
        method=SemanticSRNConfig(scene=SLIM, latents=FAST_LATENTS, stage_sizes=(), stage_steps=(), stage_batches=()),
        data=PosedViews(size=64, rays=128, evaluation_views=1),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=4000, warmup=20, decay="cosine"),
        run=RunConfig(batch_size=16, checkpoint_every=500, evaluation_batch_size=8),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 20,000 steps of 256 rays of a view of 16 objects."""
    return override(laptop(), {"data.rays": 256, "schedule.steps": 20_000, "run.checkpoint_every": 2000})


def inferred_paper() -> Experiment:
    """Return the paper's inference at 128 px from one view. It does not say for how long: at most 80,000 steps of 4 objects."""
    return Experiment(
        method=SemanticSRNInstancesConfig(),
        data=PosedViews(),
        optim=ADAM,
        schedule=ScheduleConfig(steps=80_000, decay="constant", patience=3),
        run=RunConfig(batch_size=4, checkpoint_every=2000, evaluate_every=10_000),
    )


def inferred_released() -> Experiment:
    """Return the setting of the authors' scripts: 80,000 steps, all of them."""
    changes = {
        "method.scene": RELEASED,
        "method.latents": RELEASED_LATENTS,
        "schedule.patience": 0,
        "run.evaluate_every": 0,
    }
    return override(inferred_paper(), changes | RELEASED_DATA)


def inferred_laptop() -> Experiment:
    """Return a setting for two CPU cores: at most 400 steps of 16 objects, from 128 rays of the observed view each."""
    return Experiment(
        method=SemanticSRNInstancesConfig(scene=SLIM, latents=OptimizerConfig(kind="sparse_adam", lr=1e-2, eps=1e-5)),
        data=PosedViews(size=64, rays=128, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=1e-3),
        schedule=ScheduleConfig(steps=400, decay="constant", patience=2),
        run=RunConfig(batch_size=16, checkpoint_every=100, evaluate_every=100, evaluation_batch_size=8),
    )


def inferred_gpu() -> Experiment:
    """Return a setting for minutes on one GPU: at most 1000 steps of 16 objects, from 512 rays of the observed view each."""
    return override(inferred_laptop(), {"data.rays": 512, "schedule.steps": 1000})


def parts_paper() -> Experiment:
    """Return the paper's classifier on 30 masks at 128 px. It does not say for how long: as released, 5,000 steps of 4 masks."""
    return Experiment(
        method=SemanticSRNPartsConfig(),
        data=PosedViews(),
        optim=ADAM,
        schedule=ScheduleConfig(steps=5_000, decay="constant"),
        run=RunConfig(batch_size=4, checkpoint_every=500),
    )


def parts_released() -> Experiment:
    """Return the setting of the authors' scripts: masks of the first objects."""
    return override(parts_paper(), {"method.scene": RELEASED} | RELEASED_DATA)


def parts_laptop() -> Experiment:
    """Return a setting for two CPU cores: 300 steps of 8 masks, 512 rays each."""
    return Experiment(
        method=SemanticSRNPartsConfig(scene=SLIM),
        data=PosedViews(size=64, rays=512, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=1e-2),
        schedule=ScheduleConfig(steps=300, decay="cosine"),
        run=RunConfig(batch_size=8, checkpoint_every=100, evaluation_batch_size=8),
    )


def parts_gpu() -> Experiment:
    """Return a setting for minutes on one GPU: 1000 steps of 8 masks, 1024 rays each."""
    return override(parts_laptop(), {"data.rays": 1024, "schedule.steps": 1000, "run.checkpoint_every": 500})
