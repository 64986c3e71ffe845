"""Settings of the methods of Semantic SRN; defaults are the paper's."""

from dataclasses import dataclass, field
from typing import Literal

from sem3d.bounds import AtLeastOne
from sem3d.config import OptimizerConfig
from sem3d.networks.srn.scene_network import SceneConfig


def latent_optimizer() -> OptimizerConfig:
    """Return the paper's optimiser, for latents."""
    return OptimizerConfig(kind="sparse_adam", lr=4e-4)


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the losses (paper section 4, SRN ``train.py``)."""

    image: float = 200.0
    """Of the mean squared difference of colours in [-1, 1]."""
    label: float = 8.0
    """Of the cross entropy of labelled rays."""
    latent: float = 1.0
    """Of the mean square of latents."""
    depth: float = 10.0
    """Of the mean square of camera depths below 0 (released: 1e-3 times 1e4)."""


@dataclass(frozen=True, kw_only=True)
class SceneTaskConfig:
    """Settings of all methods of Semantic SRN."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    """The networks; where --init names a run, those of that run."""
    weights: LossWeights = field(default_factory=LossWeights)
    """Of the losses."""
    rays_at_once: AtLeastOne = 4096
    """Rays of each object that are rendered at a time where nothing is learnt."""


@dataclass(frozen=True, kw_only=True)
class SemanticSRNConfig(SceneTaskConfig):
    """Settings of the training of networks and latents."""

    segmentation_layers: int = 0
    """Linear maps from a feature to part classes, trained along with all else on the masks of the budget (equation 4); 0: colour
    alone is learnt from, which is the paper's pretraining."""
    latents: OptimizerConfig = field(default_factory=latent_optimizer)
    """Optimiser of the latents."""
    stage_sizes: tuple[int, ...] = (64, 128)
    """Sides of the pictures, in pixels, that are learnt from one after the other, each from the end of the one before; none:
    data.size alone."""
    stage_steps: tuple[int, ...] = (20_000, 85_000)
    """Steps of each; schedule.steps where there is none."""
    stage_batches: tuple[int, ...] = (92, 16)
    """Objects a step of each; run.batch_size where there is none."""


@dataclass(frozen=True, kw_only=True)
class SemanticSRNInstancesConfig(SceneTaskConfig):
    """Settings of the inference of latents of new objects."""

    segmentation_layers: int = 0
    """Linear maps from a feature to part classes, as in the run that --init names."""
    inferred_from: Literal["color", "mask", "both"] = "color"
    """What of the observed views latents are inferred from. mask and both need a run that learnt end to end."""
    latents: OptimizerConfig = field(default_factory=latent_optimizer)
    """Optimiser of the latents."""


@dataclass(frozen=True, kw_only=True)
class SemanticSRNPartsConfig(SceneTaskConfig):
    """Settings of the training of part labels on features that stay as they are."""

    segmentation_layers: AtLeastOne = 1
    """Linear maps from a feature to part classes; 1 is the paper's linear classifier."""
