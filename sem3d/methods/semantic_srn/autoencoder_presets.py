"""Experiments of the multi-view auto-encoder and of part labels on it: the paper's, its authors', those for two CPU cores."""

from dataclasses import dataclass, field

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.posed_views import PosedViews
from sem3d.networks.view_autoencoder import ViewAutoencoderConfig

RELEASED_DATA = {"data.transparent": "released", "data.mask_order": "first"}


@dataclass(frozen=True, kw_only=True)
class SemanticSRNAutoencoderConfig:
    """Settings of the auto-encoder."""

    network: ViewAutoencoderConfig = field(default_factory=ViewAutoencoderConfig)
    """The network; where --init names a run, that of that run."""


def paper() -> Experiment:
    """Return the released setting, which the paper follows: 128 px, Adam 1e-4, batch 64, to 1,000,000 steps or val's best."""
    return Experiment(
        method=SemanticSRNAutoencoderConfig(),
        data=PosedViews(views=2, evaluation_views=5),
        optim=OptimConfig(kind="adam", lr=1e-4),
        schedule=ScheduleConfig(steps=1_000_000, decay="constant", patience=5),
        run=RunConfig(batch_size=64, checkpoint_every=5000, evaluate_every=20_000, evaluation_batch_size=16),
    )


def laptop() -> Experiment:
    """Return a setting for two CPU cores: 64 px, a slim network, 3000 steps of 16 pairs."""
    changes = {
        "method.network.width": 16,
        "method.network.hidden": 256,
        "data.size": 64,
        "optim.lr": 5e-4,
        "schedule.steps": 3000,
        "schedule.patience": 0,
        "run.batch_size": 16,
        "run.checkpoint_every": 500,
        "run.evaluate_every": 0,
    }
    return override(paper(), changes)


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the network of ``laptop``, 10,000 steps of 32 pairs."""
    return override(laptop(), {"schedule.steps": 10000, "run.batch_size": 32, "run.checkpoint_every": 2000})


def parts_paper() -> Experiment:
    """Return the paper's linear layer on 30 masks, with the settings of the classifier on a scene network."""
    changes = {"schedule.steps": 5000, "schedule.patience": 0, "run.batch_size": 4, "optim.lr": 4e-4}
    return override(
        paper(), changes | {"data.evaluation_views": 0, "run.evaluate_every": 0, "run.checkpoint_every": 500}
    )


def parts_laptop() -> Experiment:
    """Return a setting for two CPU cores: 300 steps of 8 masks."""
    changes = {"schedule.steps": 300, "schedule.decay": "cosine", "run.batch_size": 8, "optim.lr": 1e-2}
    return override(laptop(), changes | {"data.evaluation_views": 4, "run.checkpoint_every": 100})


def parts_gpu() -> Experiment:
    """Return a setting for minutes on one GPU: 1000 steps of 8 masks."""
    return override(parts_laptop(), {"schedule.steps": 1000, "run.checkpoint_every": 500})


def released() -> Experiment:
    """Return the paper's setting with the background of the authors' code."""
    return override(paper(), RELEASED_DATA)


def parts_released() -> Experiment:
    """Return the paper's setting with the masks and the background of the authors' code."""
    return override(parts_paper(), RELEASED_DATA)
