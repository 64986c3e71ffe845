"""reconstruction_naturalness: a critic that tells real shapes from generated ones, ShapeHD's measure of how natural a shape is.

A generator makes shapes of noise and a critic judges them and real ones (WGAN-GP). What is kept is the critic: ``reconstruction``
with ``method.naturalness.critic`` pays for shapes that it finds unnatural. Presets: ``paper`` is section 4.6.3 (Adam 1e-3, 80
epochs), ``released`` GenRe-ShapeHD's ``wgangp.py``: Adam 1e-4 with betas .5 and .9; both 128 voxels a side, penalty 10, a step of
the generator at every fifth of the critic. ``laptop`` has 32 voxels. The noise comes with the samples, so that a resumed run, or
one of more workers, makes the same shapes.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.func import functional_call

from sem3d.bounds import AtLeastOne, Positive, Width
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.sketched_views import SketchedViews, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.losses.gradient_penalty import critic_costs
from sem3d.losses.segmentation import global_mean
from sem3d.methods.initial_parts import load_parts, own_weights
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import Found, Method, Sources
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.reconstruction.pictures import voxel_picture
from sem3d.networks.voxel_networks import ShapeCritic, VoxelDecoder, VoxelDecoderConfig

SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class NaturalnessConfig:
    """Generator, critic, and their game."""

    generator_width: Width = 512
    """Channels of the generator's first grid."""
    critic_width: Width = 64
    """Channels of the critic at half size, doubled at each halving that follows."""
    penalty: Positive = 10.0
    """Weight of the penalty on the critic's gradient."""
    critic_steps: AtLeastOne = 5
    """Steps of the critic, the last of which the generator makes too."""


@dataclass(frozen=True)
class ShapeBatch:
    """Real shapes, noise for as many others, and where between the two the critic's gradient is looked at."""

    voxel: UInt8[Tensor, "item x y z"]
    latent: Float[Tensor, "item latent"]
    mix: Float[Tensor, " item"]
    usable: UInt8[Tensor, " item"]


def paper() -> Experiment:
    """Return the setting of section 4.6.3: Adam 1e-3 for 80 epochs; of its batches it says nothing: the released code's."""
    return Experiment(
        method=NaturalnessConfig(),
        data=SketchedViews(),
        optim=OptimConfig(kind="adam", lr=1e-3, beta1=0.5, beta2=0.9),
        schedule=ScheduleConfig(steps=0, epochs=80.0, decay="constant"),
        run=RunConfig(batch_size=4, checkpoint_every=1000, evaluate_epochs=10.0),
    )


def released() -> Experiment:
    """Return the setting of GenRe-ShapeHD's train_wgangp.sh: Adam 1e-4, 1000 epochs of 2500 batches."""
    return override(paper(), {"optim.lr": 1e-4, "schedule.steps": 2_500_000, "schedule.epochs": 0.0})


def laptop() -> Experiment:
    """Return a setting for some minutes on two CPU cores."""
    return Experiment(
        method=NaturalnessConfig(generator_width=64, critic_width=8, critic_steps=2),
        data=SketchedViews(size=64, voxels=32, latent=32),
        optim=OptimConfig(kind="adam", lr=1e-3, beta1=0.5, beta2=0.9),
        schedule=ScheduleConfig(steps=300, decay="constant"),
        run=RunConfig(batch_size=16, checkpoint_every=100, evaluate_every=100),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, 2000 steps of 32 shapes."""
    return longer_on_gpu(laptop(), steps=2000, batch_size=32, checkpoint_every=500)


class ReconstructionNaturalness(Method):
    """A generator of shapes and their critic, which take turns."""

    Config = NaturalnessConfig
    Data = SketchedViews
    Batch = ShapeBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("critic_gap", "min")
    unpredicted = (
        "its critic of shapes sees no picture; fine-tune a run of reconstruction with it (--method.naturalness.critic RUN) and "
        "predict with that"
    )
    label_budget = "data.budget"

    def __init__(self, experiment: Experiment[NaturalnessConfig, SketchedViews], sources: Sources | None = None):
        super().__init__(experiment, sources)
        config, side = experiment.method, experiment.data.voxels
        decoder = VoxelDecoderConfig(latent=experiment.data.latent, width=config.generator_width)
        self.generator = VoxelDecoder(decoder, side)
        self.critic = ShapeCritic(config.critic_width, side)

    @classmethod
    def sources(cls, experiment: Experiment[NaturalnessConfig, SketchedViews]) -> dict[str, Samples]:
        """Open the shapes of the three splits, each with noise."""
        return sketched_sources(experiment.data, experiment.run.storage, ("voxel", "noise"))

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from a run of this method."""
        stored = own_weights(source, without, "a critic starts from scratch or from a run of its own")
        return "scratch: all weights are new" if stored is None else load_parts(self, stored, source, without)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one for the critic and one for the generator."""
        config = self.experiment.optim
        parts = {"critic": self.critic, "generator": self.generator}
        return {name: build_optimizer(part.parameters(), config) for name, part in parts.items()}

    def active_optimizers(self, step: int) -> tuple[str, ...]:
        """Return the critic, and every few steps the generator too."""
        return ("critic",) if (step + 1) % self.experiment.method.critic_steps else ("critic", "generator")

    def generated(self, batch: ShapeBatch) -> Float[Tensor, "item x y z"]:
        """Return the shapes that the batch's noise makes, occupancies in [0, 1]."""
        return self.generator(batch.latent.to(self.generator.first.weight.dtype)).sigmoid()

    def forward(self, batch: ShapeBatch, step: int) -> dict[str, Tensor]:
        """Return means over the usable items of the global batch: the critic's gap and penalty, which move it alone, and how
        unnatural it finds what the generator makes, which moves that alone.
        """
        fake, usable = self.generated(batch), batch.usable
        real, count = batch.voxel.to(fake.dtype), usable.sum().to(fake.dtype)
        gap, penalty = critic_costs(self.critic, real, fake.detach(), batch.mix, self.experiment.method.penalty)
        as_it_is = {name: value.detach() for name, value in self.critic.named_parameters()}
        costs = {"critic": gap, "penalty": penalty, "generator": -functional_call(self.critic, as_it_is, (fake,))}
        return {name: global_mean((cost * usable).sum(), count) for name, cost in costs.items()}

    def evaluate(self, batch: ShapeBatch) -> Found:
        """Return sums over usable shapes: scores of real and generated ones, and the share of full voxels of both."""
        fake, usable = self.generated(batch), batch.usable.double()
        real = batch.voxel.to(fake.dtype)
        told = {
            "real_score": self.critic(real),
            "generated_score": self.critic(fake),
            "real_filled": real.mean((1, 2, 3)),
            "generated_filled": fake.mean((1, 2, 3)),
        }
        return Found({name: (value.double() * usable).sum() for name, value in told.items()} | {"shapes": usable.sum()})

    def summarise(self, found: Found) -> dict[str, float]:
        """Return means over shapes; ``critic_gap``, real less generated, estimates their Wasserstein distance."""
        shapes = float(found.sums["shapes"])
        means = {name: float(total) / max(shapes, 1) for name, total in found.sums.items() if name != "shapes"}
        return {"shapes": shapes, "critic_gap": means["real_score"] - means["generated_score"]} | means

    def figures(self, batch: ShapeBatch) -> dict[str, np.ndarray]:
        """Picture real and generated shapes from two sides."""
        with torch.no_grad():
            fake = self.generated(batch)[:SHOWN] > 0.5
        columns = {"real": batch.voxel[:SHOWN] > 0, "generated": fake}
        return {
            "shapes": picture_grid(
                {name: [voxel_picture(one) for one in part.cpu().numpy()] for name, part in columns.items()}
            )
        }
