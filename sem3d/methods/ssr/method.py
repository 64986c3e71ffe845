"""SSR (Laradji et al., 2108.09593): single-view 3D reconstruction with viewpoint labels on a handful of objects.

An encoder and a mesh decoder (SoftRas, Liu et al. 2019) turn one RGBA image into a mesh. They learn from silhouettes alone:
of a pair of views of one object, each predicts a mesh, and each mesh must fill the masks of both views. That needs the
viewpoints. Where only a few objects have them, a Siamese network learns on these to tell whether two images are seen from
the same viewpoint; every ``cycle`` steps it compares all unlabelled images with labelled references, and those it is sure
of join the training: half of every batch is labelled then, half pseudo-labelled (:mod:`sem3d.methods.ssr.viewpoint_labels`).

``labels_from none`` is the baseline SoftRas, on the labelled objects alone or with ``data.labelled 0`` on all;
``classifier`` labels by a classifier of viewpoints in the place of the Siamese network.

Presets: ``paper`` draws the labelled objects at random, tests on the test file, labels with the rotation test at 0.8 and
compares with one random object, as the pseudocode does (``rule paper`` is the prose); ``released`` takes the first objects,
the val file, object 0 as reference and no rotation test, pairs of the same object too, and half the reconstruction
loss (its loss list is divided by its length). Unlike the released code: the rotation test pairs what belongs together, the
rotated batch is a second loss in the same step instead of a second step, and pairs are those of the global batch whatever
the number of workers. ``laptop`` is small networks and a coarser sphere for two CPU cores.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from sem3d.config import Experiment, OptimConfig, RunConfig, ScheduleConfig, override
from sem3d.datasets.object_views import (
    ObjectRenders,
    held_out_views,
    labelled_pairs,
    reference_images,
    training_split,
    unlabelled_images,
    with_pseudo_labels,
)
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures import label_history, reconstruction_sheet
from sem3d.evaluation.reconstruction import voxel_iou
from sem3d.geometry.image_rotation import rotate_images
from sem3d.geometry.object_views import VIEWS, eyes_of_views, to_device_coordinates
from sem3d.geometry.solid_voxels import solid_voxels, to_dataset_axes
from sem3d.losses.global_rows import global_rows
from sem3d.losses.mesh_smoothness import flattening_loss, hinges, laplacian_loss, neighbours
from sem3d.losses.segmentation import global_mean
from sem3d.losses.silhouette_iou import silhouette_iou_loss
from sem3d.losses.viewpoint_pairs import PairChoice, balanced_accuracy, viewpoint_pair_counts, viewpoint_pair_loss
from sem3d.methods.initial_parts import load_parts, parts, read_safetensors
from sem3d.methods.method import Method, Passes
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.ssr.pseudo_labels import PseudoLabels
from sem3d.methods.ssr.viewpoint_labels import (
    LABEL_RULES,
    ViewpointLabels,
    choose_references,
    classify_images,
    label_images,
    see_references,
)
from sem3d.networks.mesh_decoder import MeshDecoder, MeshDecoderConfig
from sem3d.networks.shape_encoder import ShapeEncoder, ShapeEncoderConfig
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, SiameseViewpointConfig, ViewpointClassifier
from sem3d.rendering import soft_silhouettes
from sem3d.rendering.shaded_views import clay_views

PICTURED = 5
TURNS = {"same view": 0, "a quarter on": 6, "half round": 12, "three quarters": 18}


@dataclass(frozen=True, kw_only=True)
class SSRConfig:
    """Both networks, their losses, and the cycle that labels."""

    encoder: ShapeEncoderConfig = field(default_factory=ShapeEncoderConfig)
    """From an image to a shape."""
    decoder: MeshDecoderConfig = field(default_factory=MeshDecoderConfig)
    """From a shape to a mesh."""
    viewpoint: SiameseViewpointConfig = field(default_factory=SiameseViewpointConfig)
    """The network that labels."""
    labels_from: Literal["siamese", "classifier", "none"] = "siamese"
    """Who labels the unlabelled images. none: only labelled objects are learnt from (SoftRas)."""
    rule: Literal["paper", "released", "rotation_consistent"] = "rotation_consistent"
    """Which labels are accepted, and what images are compared with; see sem3d.methods.ssr.viewpoint_labels."""
    cycle: int = 400
    """Steps between two passes over the unlabelled images (the paper's z)."""
    gate: float = 1.0
    """Least accuracy on labelled images, mean over positive and negative pairs, for a pass, in the last batch that held both.
    1 is the paper's pseudocode; released: 0.99."""
    cycle_views: int = 4
    """Views of each held-out object, evenly around it, whose voxel IoU is taken every cycle (Figure 4 of the paper); 0: not
    taken. The paper's preset takes 1: its test files have up to 1,700 objects, made solid at 500 cycles."""
    consistency_degrees: int = 45
    """Angle of the rotation test."""
    rotation_augmentation: bool = True
    """Also learn viewpoints on the batch turned in its plane by one random angle (paper Table 3)."""
    pairs: PairChoice = "distinct_positives"
    """Pairs of images that the viewpoint loss counts."""
    pair_draws: int = 32
    """Positives, and negatives, drawn a step."""
    viewpoint_lr: float = 1e-4
    """Peak learning rate of the network that labels."""
    sigma: float = 1e-4
    """Softness of silhouettes, in squared normalised device coordinates."""
    sigma_factor: float = 0.3
    """Factor of sigma every sigma_every steps."""
    sigma_every: int = 150_000
    """Steps between two factors of sigma."""
    silhouette_size: int = 64
    """Pixels a side at which silhouettes are compared; masks are averaged down to it."""
    silhouette_backend: Literal["fast", "pytorch3d"] = "fast"
    """Who draws silhouettes."""
    laplacian: float = 0.005
    """Weight of the Laplacian loss."""
    flattening: float = 0.0005
    """Weight of the flattening loss."""
    reconstruction: float = 1.0
    """Weight of silhouettes and smoothness together; 0.5 in the released code."""


@dataclass(frozen=True)
class SSRBatch:
    """RGBA views of objects: two of each to learn from, one with the object's voxels to evaluate on."""

    image: UInt8[Tensor, "batch view 4 64 64"]
    viewpoint: Int[Tensor, "batch view"]
    object: Int[Tensor, " batch"]
    labelled: UInt8[Tensor, " batch"]
    """1: its viewpoints are true, 0: they are pseudo-labels."""
    usable: UInt8[Tensor, " batch"]
    voxels: Bool[Tensor, "batch 32 32 32"] | None = None


def paper() -> Experiment:
    """Section 4 of the paper: batch 64, Adam 1e-4, 200,000 steps, a pass every 400."""
    return Experiment(
        method=SSRConfig(cycle_views=1),
        data=ObjectRenders(labelled=2),
        optim=OptimConfig(kind="adamw", lr=1e-4),
        schedule=ScheduleConfig(steps=200_000, decay="exponential", gamma=0.3, gamma_every=150_000),
        run=RunConfig(checkpoint_every=2000),
    )


def released() -> Experiment:
    """The authors' exp_configs/ubl.py: first objects, object 0 as reference, no rotation test, val file, half the loss."""
    return override(
        paper(),
        {
            "method.viewpoint.initial": "default",
            "method.rule": "released",
            "method.gate": 0.99,
            "method.pairs": "all",
            "method.reconstruction": 0.5,
            "data.labelled_order": "first",
            "data.protocol": "released",
        },
    )


def laptop() -> Experiment:
    """Five to ten minutes on one CPU core: slim networks, a sphere of 162 vertices, labels without the rotation test."""
    return Experiment(
        method=SSRConfig(
            encoder=ShapeEncoderConfig(width=16, hidden=256, dim=128),
            decoder=MeshDecoderConfig(subdivisions=2, hidden=256),
            viewpoint=SiameseViewpointConfig(width=16, dim=256),
            rule="released",
            cycle=100,
            gate=0.9,
            viewpoint_lr=1e-3,
        ),
        data=ObjectRenders(labelled=2),
        optim=OptimConfig(kind="adamw", lr=1e-3),
        schedule=ScheduleConfig(steps=700, warmup=10, decay="cosine"),
        run=RunConfig(batch_size=32, checkpoint_every=350),
    )


class SSR(Method):
    """Image to mesh, and the network that labels viewpoints."""

    Config = SSRConfig
    Data = ObjectRenders
    Batch = SSRBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop}
    score = ("voxel_iou", "max")

    def __init__(self, experiment: Experiment[SSRConfig, ObjectRenders]):
        super().__init__(experiment)
        config = experiment.method
        if config.cycle < 1:
            raise UserError(f"method.cycle {config.cycle} must be at least 1; --method.labels_from none never labels")
        if not 0 <= config.cycle_views <= VIEWS:
            raise UserError(f"method.cycle_views {config.cycle_views} must be 0 to {VIEWS}")
        self.encoder = ShapeEncoder(config.encoder)
        self.decoder = MeshDecoder(config.decoder, config.encoder.dim)
        self.viewpoints: SiameseViewpoint | ViewpointClassifier | None = None
        if config.labels_from == "siamese":
            self.viewpoints = SiameseViewpoint(config.viewpoint)
        elif config.labels_from == "classifier":
            self.viewpoints = ViewpointClassifier(config.viewpoint, VIEWS)
        self.pseudo_labels = PseudoLabels()
        self.register_buffer("accuracy", torch.zeros((), dtype=torch.float64))
        self.register_buffer("edges", neighbours(self.decoder.faces), persistent=False)
        self.register_buffer("hinges", hinges(self.decoder.faces), persistent=False)
        self._joined: tuple[int, Samples] | None = None

    @classmethod
    def training_samples(cls, experiment: Experiment[SSRConfig, ObjectRenders]) -> Samples:
        """Pairs of views of the labelled objects."""
        return labelled_pairs(experiment.data, experiment.run.storage)

    @classmethod
    def evaluation_samples(cls, experiment: Experiment[SSRConfig, ObjectRenders]) -> Samples:
        """Views of held-out objects, with voxels."""
        return held_out_views(experiment.data, experiment.run.storage)

    def initialise(self, source: str) -> str:
        """Everything new (scratch), or the networks of a run of SSR (a weights file)."""
        if source == "scratch":
            return "scratch: all weights are new"
        if not source.endswith(".safetensors"):
            raise UserError(f"--init {source}: SSR starts from scratch or from a run of its own")
        stored = read_safetensors(Path(source))
        if not {"encoder", "decoder"} <= parts(stored):
            raise UserError(f"{source} holds no weights of SSR but of {', '.join(sorted(parts(stored)))}")
        return load_parts(self, stored, source)

    def optimizers(self, config: OptimConfig) -> dict[str, torch.optim.Optimizer]:
        """One optimiser of two groups: Adam treats every weight by itself, so that equals the released two."""
        shape = [*self.encoder.parameters(), *self.decoder.parameters()]
        groups: list[dict[str, object]] = [{"params": shape}]
        if self.viewpoints is not None:
            lr = self.experiment.method.viewpoint_lr
            groups.append({"params": list(self.viewpoints.parameters()), "lr": lr})
        return {"main": build_optimizer(groups, config)}

    def meshes(self, image: UInt8[Tensor, "image 4 64 64"]) -> Float[Tensor, "image vertex 3"]:
        """Vertices in the object frame; the faces are ``self.decoder.faces``."""
        return self.decoder(self.encoder(self.as_input(image)))

    def as_input(self, image: UInt8[Tensor, "*batch 4 64 64"]) -> Float[Tensor, "*batch 4 64 64"]:
        """RGBA in [0, 1], as wide as the weights."""
        return image.to(self.encoder.linear[0].weight.dtype) / 255

    def forward(self, batch: SSRBatch, step: int) -> dict[str, Tensor]:
        """Silhouettes and smoothness of all usable objects, and the viewpoint loss of the labelled ones."""
        vertices = self.meshes(batch.image.flatten(0, 1)).unflatten(0, batch.image.shape[:2])
        with torch.autocast(vertices.device.type, enabled=False):
            losses = self.reconstruction_losses(vertices, batch, step)
        if self.viewpoints is not None:
            losses |= self.viewpoint_losses(batch, step)
        return losses

    def reconstruction_losses(
        self, vertices: Float[Tensor, "batch view vertex 3"], batch: SSRBatch, step: int
    ) -> dict[str, Tensor]:
        """The mesh of each view against the masks of both (SoftRas, Eq. 11), Laplacian and flattening; means over objects."""
        config = self.experiment.method
        usable = batch.usable.bool()
        kept = vertices[usable]
        masks = F.adaptive_avg_pool2d(self.as_input(batch.image[usable])[:, :, 3], config.silhouette_size)
        views = kept.shape[1]
        eyes = eyes_of_views(batch.viewpoint[usable], dtype=kept.dtype)
        shapes = kept[:, :, None].expand(-1, -1, views, -1, -1).flatten(0, 2)
        seen_from = eyes[:, None].expand(-1, views, -1, -1).flatten(0, 2)
        silhouettes = soft_silhouettes(
            to_device_coordinates(shapes, seen_from),
            self.decoder.faces,
            size=config.silhouette_size,
            sigma=config.sigma * config.sigma_factor ** (step // config.sigma_every),
            backend=config.silhouette_backend,
        )
        wanted = masks[:, None].expand(-1, views, -1, -1, -1).flatten(0, 2)
        each = kept.flatten(0, 1)
        means = {
            "silhouette": silhouette_iou_loss(silhouettes, wanted),
            "laplacian": config.laplacian * laplacian_loss(each, self.edges),
            "flattening": config.flattening * flattening_loss(each, self.hinges),
        }
        count = usable.sum().to(kept.dtype)
        return {name: config.reconstruction * global_mean(mean * count, count) for name, mean in means.items()}

    def viewpoint_losses(self, batch: SSRBatch, step: int) -> dict[str, Tensor]:
        """Loss of the labelling network on the first view of every labelled object of the global batch, plain and turned."""
        draws = torch.Generator().manual_seed(self.experiment.run.seed * 1_000_003 + step)
        mine = (batch.labelled & batch.usable).bool()
        images = self.as_input(batch.image[mine, 0])
        labelled = global_rows(mine.to(torch.uint8)).bool()
        viewpoints, objects = (global_rows(values)[labelled] for values in (batch.viewpoint[:, 0], batch.object))
        plain, accuracy = self.viewpoint_loss(self.features(images, mine)[labelled], viewpoints, objects, draws)
        if accuracy == accuracy:
            self.accuracy.fill_(accuracy)
        losses = {"viewpoint": plain}
        if self.experiment.method.rotation_augmentation:
            degrees = int(torch.randint(360, (), generator=draws))
            turned = self.features(rotate_images(images, degrees), mine)[labelled]
            losses["viewpoint_turned"] = self.viewpoint_loss(turned, viewpoints, objects, draws)[0]
        return losses

    def features(
        self, images: Float[Tensor, "image 4 64 64"], mine: Bool[Tensor, " batch"]
    ) -> Float[Tensor, "global_batch dim"]:
        """Features of every worker's labelled images, in the rows of the global batch; zeros in the others."""
        features = self.viewpoints(images)
        places = mine.nonzero()[:, 0]
        return global_rows(features.new_zeros(len(mine), features.shape[1]).index_add(0, places, features))

    def viewpoint_loss(
        self,
        features: Float[Tensor, "image dim"],
        viewpoints: Int[Tensor, " image"],
        objects: Int[Tensor, " image"],
        draws: torch.Generator,
    ) -> tuple[Float[Tensor, ""], float]:
        """Loss of the labelling network and its accuracy, NaN where there is nothing to tell; alike on every worker."""
        if isinstance(self.viewpoints, ViewpointClassifier):
            logits = self.viewpoints.logits(features)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            loss = F.cross_entropy(logits, viewpoints, reduction="sum") / max(len(features), 1)
            return loss, float((logits.argmax(1) == viewpoints).double().mean())
        config = self.experiment.method
        logits = self.viewpoints.similarity(features, features)
        loss = viewpoint_pair_loss(logits, viewpoints, objects, draws, choice=config.pairs, draws=config.pair_draws)
        return loss, balanced_accuracy(viewpoint_pair_counts(logits, viewpoints, objects, config.pairs))

    def between_steps(self, step: int, passes: Passes) -> None:
        """Labels all unlabelled images every ``cycle`` steps, if the labelling network is right about the labelled ones.

        Coverage and voxel IoU are told whether it is or not.
        """
        config, experiment = self.experiment.method, self.experiment
        if self.viewpoints is None or step == 0 or step % config.cycle:
            return
        images = unlabelled_images(experiment.data, experiment.run.storage)
        if not images.table.num_rows:
            return
        accuracy = float(passes.total(self.accuracy) / passes.total(torch.ones(())))
        self.eval()
        with torch.no_grad():
            found = self.label(images, passes) if accuracy >= config.gate else None
            shapes = self.shapes_now(passes)
        self.train()
        truth = torch.tensor(images.table["view"].to_numpy(), dtype=torch.int64)
        labels = self.pseudo_labels
        numbers = labels.keep(truth, step, shapes) if found is None else labels.add(found, truth, step, shapes)
        metrics = {f"labels/{name}": value for name, value in {"gate": accuracy, **numbers}.items()}
        if found is None:
            line = f"no labelling at step {step}: accuracy {accuracy:.3f} on labelled images is below {config.gate:g}"
            line += " (0 also where no batch held a pair to tell: label two objects, or --method.pairs all)" * (
                not accuracy
            )
            passes.tell(line, metrics, {})
            return
        said = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
        passes.tell(
            f"labelling {labels.passes} at step {step}: {len(truth)} images, {said}",
            metrics,
            {f"labels/step-{step:08d}": labels.table(truth, images.table["name"].to_pylist())},
        )

    def label(self, images: Samples, passes: Passes) -> ViewpointLabels:
        """One pass over the unlabelled images, shared by all workers; the same on each."""
        config, experiment = self.experiment.method, self.experiment
        rule, device = LABEL_RULES[config.rule], self.accuracy.device
        references = None
        if isinstance(self.viewpoints, SiameseViewpoint):
            split = training_split(experiment.data, experiment.run.storage)
            views, numbers = (torch.tensor(split.labelled[name].to_numpy()) for name in ("view", "object"))
            chosen = choose_references(views.long(), numbers.long(), rule.references)
            pictures, seen_from = reference_images(split, chosen.tolist())
            degrees = config.consistency_degrees if rule.rotation_test else None
            pictures = self.as_input(torch.tensor(pictures, device=device))
            references = see_references(self.viewpoints, pictures, torch.tensor(seen_from, device=device), degrees)
        found = torch.zeros(3, images.table.num_rows, dtype=torch.float64)
        for columns in passes.batches(images):
            known = columns["usable"].bool()
            pictures = self.as_input(columns["image"][known, 0])
            if references is None:
                labels = classify_images(self.viewpoints, pictures, rule, config.consistency_degrees)
            else:
                labels = label_images(self.viewpoints, pictures, references, rule)
            found[:, columns["number"][known].cpu()] = torch.stack([part.double().cpu() for part in labels])
        viewpoint, confidence, accepted = passes.total(found)
        return ViewpointLabels(viewpoint.long(), confidence, accepted.bool())

    def shapes_now(self, passes: Passes) -> dict[str, float]:
        """Mean voxel IoU of ``cycle_views`` views of each held-out object; the same on each process."""
        experiment = self.experiment
        if not experiment.method.cycle_views:
            return {}
        data = replace(experiment.data, evaluation_views=experiment.method.cycle_views)
        held_out = held_out_views(data, experiment.run.storage)
        sums = torch.zeros(2, dtype=torch.float64)
        if held_out.table.num_rows:
            for columns in passes.batches(held_out):
                found = self.evaluate(SSRBatch(**columns))
                sums += torch.stack([found["iou"].sum(), found["views"].sum()])
        iou, views = passes.total(sums).tolist()
        return {"voxel_iou": iou / views} if views else {}

    def samples_now(self, samples: Samples) -> Samples:
        """The labelled pairs, and those of objects with pseudo-labels once there are any."""
        passes = self.pseudo_labels.passes
        if not passes:
            return samples
        if self._joined is None or self._joined[0] != passes:
            images = unlabelled_images(self.experiment.data, self.experiment.run.storage)
            labels = self.pseudo_labels.labels
            joined = with_pseudo_labels(samples, images, labels.viewpoint.numpy(), labels.accepted.numpy())
            self._joined = (passes, joined)
        return self._joined[1]

    def evaluate(self, batch: SSRBatch) -> dict[str, Tensor]:
        """Voxel IoU at 32^3 by viewpoint, each mesh made solid, as sums with counts."""
        usable = batch.usable.bool()
        meshes = self.meshes(batch.image[usable, 0]).double().cpu().numpy()
        faces = self.decoder.faces.cpu().numpy()
        views = batch.viewpoint[usable, 0].cpu()
        iou = np.zeros(len(meshes))
        if len(meshes):
            solid = np.stack([to_dataset_axes(solid_voxels(vertices, faces)) for vertices in meshes])
            iou = voxel_iou(solid, batch.voxels[usable].cpu().numpy())
        zeros = torch.zeros(VIEWS, dtype=torch.float64)
        return {
            "iou": zeros.index_add(0, views, torch.tensor(iou)),
            "views": zeros.index_add(0, views, torch.ones(len(views), dtype=torch.float64)),
        }

    def summarise(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Mean voxel IoU over objects and views; what the last labelling pass found."""
        labels = self.pseudo_labels.history[-1] if self.pseudo_labels.history else {}
        metrics = {f"label_{name}": value for name, value in labels.items() if name in ("coverage", "accuracy")}
        return {"voxel_iou": float(sums["iou"].sum() / sums["views"].sum().clamp(min=1)), **metrics}

    def artifacts(self, sums: dict[str, Tensor]) -> dict[str, object]:
        """IoU by the view that the mesh is made from."""
        by_view = zip(sums["iou"].tolist(), sums["views"].tolist(), strict=True)
        return {"iou_by_view": {f"view {view:02d}": iou / n for view, (iou, n) in enumerate(by_view) if n}}

    def figures(self, batch: SSRBatch) -> dict[str, np.ndarray]:
        """Meshes of the first images from around, and how coverage and accuracy of the labels went."""
        images, first = batch.image[:PICTURED, 0], batch.viewpoint[:PICTURED, 0].tolist()
        with torch.no_grad():
            meshes = self.meshes(images).float().cpu().numpy()
        faces = self.decoder.faces.cpu().numpy()
        turns = [
            clay_views(vertices, faces, [view + turn for turn in TURNS.values()])
            for vertices, view in zip(meshes, first, strict=True)
        ]
        pictures = {"reconstructions": reconstruction_sheet(list(images.cpu().numpy()), turns, ["input", *TURNS])}
        if self.pseudo_labels.history:
            pictures["labels"] = label_history(self.pseudo_labels.history, self.experiment.method.cycle_views)
        return pictures
