"""reconstruction: the whole shape of an object in its canonical pose from one picture, by 2.5D sketches (2D-3D-2D, section 4.2).

The second and third stage of ShapeHD. A completion network learns shapes from sketches; with ``method.naturalness.weight`` it is
fine-tuned so that a critic, trained by ``reconstruction_naturalness``, finds its shapes natural. Sketches of pictures come from a
network that stays as it is, that of the run of ``reconstruction_sketches`` that ``--init`` names; fine-tuning starts from a run
of this method, which holds both. Presets: ``paper`` is section 4.6.3 (SGD .1, momentum .9, 80 epochs, 128 voxels a side),
``released`` GenRe-ShapeHD's script (Adam 1e-3, betas .5 and .9), ``finetuning`` its ``shapehd.py`` (naturalness at 1e-3).
``laptop`` has 32 voxels. As in the released code, it learns from true sketches (issue 33) unless ``method.learns_from`` says
otherwise, and only the completion is fine-tuned.

Scored is the voxel IoU of shapes from pictures; ``voxel_iou_of_true_sketches`` is what the true sketches would give. The
threshold is fixed, where Pix3D takes the one that is best on its test set.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from sem3d.bounds import Share, Width
from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, Weights, override
from sem3d.datasets.sketched_views import SketchedViews, sketched_sources
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.losses.segmentation import global_mean
from sem3d.methods.frozen import FrozenPart
from sem3d.methods.initial_parts import difference, load_parts, own_weights, read_safetensors
from sem3d.methods.longer_on_gpu import longer_on_gpu
from sem3d.methods.method import Found, Method, Sources
from sem3d.methods.reconstruction.pictures import voxel_picture
from sem3d.networks.image_normalisation import normalise_images
from sem3d.networks.sketch_network import SketchNetwork, SketchNetworkConfig, cleaned
from sem3d.networks.voxel_networks import CompletionConfig, CompletionNetwork, ShapeCritic, VoxelDecoderConfig

SHOWN = 6
CRITIC = "critic."


@dataclass(frozen=True, kw_only=True)
class NaturalnessTerm:
    """The price of unnatural shapes."""

    weight: float = 0.0
    """Weight of the critic's score in the loss; 0: no critic. ShapeHD: 1e-3."""
    critic: Weights = ""
    """Run of reconstruction_naturalness; scratch is a critic that knows nothing, a control."""
    width: Width = 64
    """Its critic_width."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """Networks and losses."""

    sketcher: SketchNetworkConfig = field(default_factory=SketchNetworkConfig)
    """Network that predicts sketches, which stays as it is."""
    completion: CompletionConfig = field(default_factory=CompletionConfig)
    """Network from sketches to shapes."""
    naturalness: NaturalnessTerm = field(default_factory=NaturalnessTerm)
    """Price of unnatural shapes."""
    learns_from: Literal["true_sketches", "predicted_sketches"] = "true_sketches"
    """Sketches that shapes are learnt from; the released code takes the data's."""
    threshold: Share = 0.3
    """Occupancy from which a voxel is full when shapes are scored."""


@dataclass(frozen=True)
class ReconstructionBatch:
    """Pictures, their true sketches, and the shapes."""

    image: UInt8[Tensor, "item 3 side side"]
    sketch: Float[Tensor, "item 5 side side"]
    voxel: UInt8[Tensor, "item x y z"]
    """1 where the shape is, in ShapeNetCore's frame, see :mod:`sem3d.geometry.solid_voxels`."""
    usable: UInt8[Tensor, " item"]


def paper() -> Experiment:
    """Return the setting of section 4.6.3; of its batches it says nothing: the released code's."""
    return Experiment(
        method=ReconstructionConfig(),
        data=SketchedViews(),
        optim=OptimConfig(kind="sgd", lr=0.1),
        schedule=ScheduleConfig(steps=0, epochs=80.0, decay="constant"),
        run=RunConfig(batch_size=4, checkpoint_every=5000, evaluate_epochs=5.0),
    )


def released() -> Experiment:
    """Return the setting of GenRe-ShapeHD's train_marrnet2.sh: 1000 epochs of 2500 batches."""
    changes = {"optim.kind": "adam", "optim.lr": 1e-3, "optim.beta1": 0.5, "optim.beta2": 0.9}
    return override(paper(), changes | {"schedule.steps": 2_500_000, "schedule.epochs": 0.0})


def finetuning() -> Experiment:
    """Return the setting of ShapeHD's last stage; ``method.naturalness.critic`` and ``--init`` name the runs before it."""
    return override(released(), {"method.naturalness.weight": 1e-3})


def laptop() -> Experiment:
    """Return a setting for some minutes on two CPU cores."""
    return Experiment(
        method=ReconstructionConfig(
            sketcher=SketchNetworkConfig(encoder="efficientnet_lite0", width=64),
            completion=CompletionConfig(encoder="efficientnet_lite0", decoder=VoxelDecoderConfig(latent=64, width=128)),
            naturalness=NaturalnessTerm(width=8),
        ),
        data=SketchedViews(size=64, voxels=32, evaluation_views=4),
        optim=OptimConfig(kind="adam", lr=2e-3),
        schedule=ScheduleConfig(steps=400, warmup=10, decay="cosine"),
        run=RunConfig(batch_size=16, checkpoint_every=100, evaluate_every=100),
    )


def gpu() -> Experiment:
    """Return a setting for minutes on one GPU: the networks of ``laptop``, 2000 steps of 32 pictures."""
    return longer_on_gpu(laptop(), steps=2000, batch_size=32, checkpoint_every=500)


class Reconstruction(Method):
    """Sketches of a picture, and the shape that they are of."""

    Config = ReconstructionConfig
    Data = SketchedViews
    Batch = ReconstructionBatch
    presets: ClassVar = {"paper": paper, "released": released, "finetuning": finetuning, "laptop": laptop, "gpu": gpu}
    score = ("voxel_iou", "max")
    label_budget = "data.budget"
    handed_on = ("method.sketcher.",)
    marks = "sem3d.methods.reconstruction.mean_shape:marks"
    prediction = "sem3d.pipelines.predicted_object:predict_shape"

    def __init__(self, experiment: Experiment[ReconstructionConfig, SketchedViews], sources: Sources | None = None):
        super().__init__(experiment, sources)
        config, side = experiment.method, experiment.data.voxels
        self.sketcher = SketchNetwork(config.sketcher).requires_grad_(False)
        self.completion = CompletionNetwork(config.completion, side)
        if config.naturalness.weight:
            if not config.naturalness.critic:
                raise UserError(
                    "method.naturalness.weight needs the critic of a run of reconstruction_naturalness: name it in "
                    "method.naturalness.critic"
                )
            critic = ShapeCritic(config.naturalness.width, side)
            self.critic = FrozenPart(critic, config.naturalness.critic, load_critic)

    @classmethod
    def sources(cls, experiment: Experiment[ReconstructionConfig, SketchedViews]) -> dict[str, Samples]:
        """Open views of training objects, of val and of test, with their sketches and shapes."""
        return sketched_sources(experiment.data, experiment.run.storage, ("image", "sketch", "voxel"))

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from a run that predicts sketches, or shapes."""
        stored = own_weights(source, without, "shapes start from scratch or from a run of reconstruction(_sketches)")
        if stored is None:
            return "scratch: all weights are new, those that sketch pictures too, which are not trained here"
        return load_parts(self, stored, source, without)

    @torch.no_grad()
    def sketches(self, image: UInt8[Tensor, "item 3 side side"]) -> Float[Tensor, "item 5 side side"]:
        """Return sketches of pictures, as the completion takes them."""
        return cleaned(self.sketcher.eval()(normalise_images(image)))

    def occupancies(self, sketch: Float[Tensor, "item 5 side side"]) -> Float[Tensor, "item x y z"]:
        """Return how full each voxel is, in [0, 1]."""
        return self.completion(sketch).sigmoid()

    def forward(self, batch: ReconstructionBatch, step: int) -> dict[str, Tensor]:
        """Return the cross entropy of voxels and the price of unnatural shapes, over the usable items of the global batch."""
        config = self.experiment.method
        predicted = config.learns_from == "predicted_sketches"
        logits = self.completion(self.sketches(batch.image) if predicted else batch.sketch)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        true = batch.voxel.to(logits.dtype)
        costs = {"voxel": F.binary_cross_entropy_with_logits(logits, true, reduction="none").mean((1, 2, 3))}
        if config.naturalness.weight:
            costs["naturalness"] = -config.naturalness.weight * self.critic.network(logits.sigmoid())
        count = batch.usable.sum().to(logits.dtype)
        return {name: global_mean((cost * batch.usable).sum(), count) for name, cost in costs.items()}

    def evaluate(self, batch: ReconstructionBatch) -> Found:
        """Return sums over usable views of the voxel IoU, of shapes from pictures and of those from true sketches."""
        true, usable = batch.voxel > 0, batch.usable.double()
        told = {"voxel_iou": self.sketches(batch.image), "voxel_iou_of_true_sketches": batch.sketch}
        threshold = self.experiment.method.threshold
        sums = {"views": usable.sum()}
        for name, sketch in told.items():
            found = self.occupancies(sketch) > threshold
            both, either = (found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3))
            sums[name] = ((both / either.clamp(min=1)).double() * usable).sum()
        return Found(sums)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return means over views."""
        views = float(found.sums["views"])
        names = ("voxel_iou", "voxel_iou_of_true_sketches")
        return {"views": views} | {name: float(found.sums[name]) / max(views, 1) for name in names}

    def figures(self, batch: ReconstructionBatch) -> dict[str, np.ndarray]:
        """Picture what is seen, and true and predicted shapes from two sides."""
        with torch.no_grad():
            found = self.occupancies(self.sketches(batch.image[:SHOWN])) > self.experiment.method.threshold
        columns = {"seen": list(batch.image[:SHOWN].permute(0, 2, 3, 1).cpu().numpy())}
        for name, grids in (("true shape", batch.voxel[:SHOWN] > 0), ("predicted shape", found)):
            columns[name] = [voxel_picture(one) for one in grids.cpu().numpy()]
        return {"shapes": picture_grid(columns)}


def load_critic(network: torch.nn.Module, source: str) -> str:
    """Load the critic of a run of reconstruction_naturalness, strictly; return a line on it.

    Raises :class:`UserError` for weights without one, or of another size.
    """
    if source == "scratch":
        return "critic: random weights, a control"
    if not source.endswith(".safetensors") or not Path(source).is_file():
        raise UserError(f"method.naturalness.critic {source}: name a run of reconstruction_naturalness")
    found = {
        name.removeprefix(CRITIC): value
        for name, value in read_safetensors(Path(source)).items()
        if name.startswith(CRITIC)
    }
    own = network.state_dict()
    for name in sorted({*own, *found}):
        if fault := difference(name, own, found):
            raise UserError(
                f"method.naturalness.critic {source} at {name}: {fault}; give its critic_width and its data.voxels"
            )
    network.load_state_dict(found)
    return f"critic: {len(found)} tensors from {source}"
