"""SSR (Laradji et al., 2108.09593): single-view 3D reconstruction with viewpoint labels on a handful of objects.

An encoder and a mesh decoder (SoftRas, Liu et al. 2019) turn one RGBA image into a mesh. They learn from silhouettes alone:
of a pair of views of one object, each predicts a mesh, and each mesh must fill the masks of both views. That needs the
viewpoints. Where only a few objects have them, a Siamese network learns on these to tell whether two images are seen from
the same viewpoint; every ``cycle`` steps it compares all unlabelled images with labelled references, and those it is sure
of join the training: half of every batch is labelled then, half pseudo-labelled (:mod:`sem3d.methods.ssr.viewpoint_labels`).

``labels_from none`` is the baseline SoftRas, on the labelled objects alone or with ``data.labelled 0`` on all;
``classifier`` labels by a classifier of viewpoints in the place of the Siamese network.

Presets: ``paper`` draws the labelled objects at random, tests on the test file, labels with the rotation test (the prose) at
0.8 (the pseudocode), compares each image with a random object of its own and opens the gate by all labelled images, as the
pseudocode does (``rule paper`` is the prose); ``released`` takes the first objects, the val file, object 0 as reference and no
rotation test, the gate by one batch, pairs of the same object too, and half the reconstruction loss (its loss list is divided
by its length). Both test the checkpoint that is best on the val file. Unlike the released code: the rotation test pairs what
belongs together, the labelled images of a step are drawn apart from the pairs, the rotated ones are a second loss in the same
step instead of a second step, the labelling network's learning rate follows the schedule, and pairs are those of the global
batch whatever the number of workers. ``laptop`` is small networks and a coarser sphere for two CPU cores.
"""

from math import ceil
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.object_views import ObjectRenders, object_sources, with_pseudo_labels
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures import label_history
from sem3d.geometry.object_views import mirrored
from sem3d.losses.mesh_smoothness import hinges, neighbours
from sem3d.methods.initial_parts import load_parts, own_weights, parts
from sem3d.methods.method import TRAIN, Found, Method, Passes, Sources
from sem3d.methods.optimizers import build_optimizer
from sem3d.methods.ssr.batch import SSRBatch
from sem3d.methods.ssr.config import SSRConfig
from sem3d.methods.ssr.cycle import finish_cycle
from sem3d.methods.ssr.labelling_pass import accuracy_on_all, label_all, labelling_network
from sem3d.methods.ssr.losses import (
    Connectivity,
    LabelledImages,
    images_beside,
    labelled_images,
    reconstruction_losses,
    viewpoint_losses,
)
from sem3d.methods.ssr.pictures import PICTURED, picture_meshes
from sem3d.methods.ssr.presets import gpu, laptop, paper, released
from sem3d.methods.ssr.pseudo_labels import PseudoLabels
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels
from sem3d.methods.ssr.voxel_statistics import iou_and_count, iou_by_view, mean_iou, sums_by_view
from sem3d.networks.mesh_decoder import MeshDecoder
from sem3d.networks.shape_encoder import ShapeEncoder


class SSR(Method):
    """Image to mesh, and the network that labels viewpoints."""

    Config = SSRConfig
    Data = ObjectRenders
    Batch = SSRBatch
    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("voxel_iou", "max")
    label_budget = "data.labelled"
    identified_by = ("train", "held_out", "tested")  # their digests are of all the files of the renders
    evaluations: ClassVar = {
        "scores": "sem3d.pipelines.scores:scores",
        "surfaces": "sem3d.pipelines.surfaces:surfaces",
    }
    prediction = "sem3d.pipelines.predicted_mesh:predict_mesh"
    published = "sem3d.reporting.papers.ssr:published_table"
    marks = "sem3d.methods.ssr.constant_shape:marks"

    accuracy: Float[Tensor, ""]
    """Of the labelling network on the labelled images of the last batch that held any."""
    edges: Int[Tensor, "edge 2"]
    hinges: Int[Tensor, "hinge 4"]

    def __init__(self, experiment: Experiment[SSRConfig, ObjectRenders], sources: Sources | None = None):
        super().__init__(experiment)
        config = experiment.method
        self.encoder = ShapeEncoder(config.encoder)
        self.decoder = MeshDecoder(config.decoder, config.encoder.dim)
        self.viewpoints = labelling_network(config)
        self.pseudo_labels = PseudoLabels()
        self.register_buffer("accuracy", torch.zeros((), dtype=torch.float64))
        self.register_buffer("edges", neighbours(self.decoder.faces), persistent=False)
        self.register_buffer("hinges", hinges(self.decoder.faces), persistent=False)
        self._joined: tuple[int, Samples] | None = None

    @classmethod
    def sources(cls, experiment: Experiment[SSRConfig, ObjectRenders]) -> dict[str, Samples]:
        """Open pairs of views of the labelled objects and views of held-out ones; for labelling, the images to label.

        ``tested``: views of the objects that the best checkpoint is scored on, where it is chosen by others.
        ``unlabelled``: every view of every other training object; ``references``: every labelled view; ``cycle``: the held-out
        views of which the voxel IoU is taken in every cycle.
        """
        method, run = experiment.method, experiment.run
        if method.viewpoint_batch % experiment.optim.accumulate:
            raise UserError(
                f"method.viewpoint_batch {method.viewpoint_batch} cannot be shared by {experiment.optim.accumulate} "
                f"micro-batches: choose a multiple of {experiment.optim.accumulate}"
            )
        beside = 0 if method.labels_from == "none" else ceil(method.viewpoint_batch / run.batch_size)
        return object_sources(experiment.data, run.storage, method.cycle_views, beside)

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Load the networks of a run of SSR (a weights file), or nothing (scratch)."""
        stored = own_weights(source, without, "SSR starts from scratch or from a run of its own")
        if stored is None:
            return "scratch: all weights are new"
        if not {"encoder", "decoder"} <= parts(stored):
            raise UserError(f"{source} holds no weights of SSR but of {', '.join(sorted(parts(stored)))}")
        return load_parts(self, stored, source, without)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one optimiser of two groups: Adam treats every weight by itself, so that equals the released two."""
        shape = [*self.encoder.parameters(), *self.decoder.parameters()]
        groups: list[dict[str, object]] = [{"params": shape}]
        if self.viewpoints is not None:
            lr = self.experiment.method.viewpoint_lr
            groups.append({"params": list(self.viewpoints.parameters()), "lr": lr})
        return {"main": build_optimizer(groups, self.experiment.optim)}

    def meshes(self, image: UInt8[Tensor, "image 4 64 64"]) -> Float[Tensor, "image vertex 3"]:
        """Return vertices in the object frame; the faces are ``self.decoder.faces``."""
        return self.decoder(self.encoder(self.as_input(image)))

    def surfaces(
        self, image: UInt8[Tensor, "image 4 64 64"]
    ) -> tuple[Float[Tensor, "image vertex 3"], Int[Tensor, "face 3"]]:
        """Return vertices in the right-handed frame of :func:`mirrored`, and faces."""
        return mirrored(self.meshes(image).float(), self.decoder.faces)

    def as_input(self, image: UInt8[Tensor, "*batch 4 64 64"]) -> Float[Tensor, "*batch 4 64 64"]:
        """Return RGBA in [0, 1], as wide as the weights."""
        return image.to(self.encoder.dtype) / 255

    def forward(self, batch: SSRBatch, step: int) -> dict[str, Tensor]:
        """Return silhouettes and smoothness of all usable objects, and the viewpoint loss of the labelled ones."""
        config = self.experiment.method
        vertices = self.meshes(batch.image.flatten(0, 1)).unflatten(0, batch.image.shape[:2])
        with torch.autocast(vertices.device.type, enabled=False):
            mesh = Connectivity(self.decoder.faces, self.edges, self.hinges)
            images, usable = self.as_input(batch.image), batch.usable.bool()
            losses = reconstruction_losses(vertices, images, batch.viewpoint, usable, mesh, config, step)
        if self.viewpoints is not None:
            seed = self.experiment.run.seed * 1_000_003 + step
            labelled = self.images_to_tell(images, batch)
            found, accuracy = viewpoint_losses(self.viewpoints, labelled, config, seed)
            losses |= found
            self.accuracy.copy_(torch.where(accuracy.isnan(), self.accuracy, accuracy))
        return losses

    def images_to_tell(self, images: Float[Tensor, "batch view 4 64 64"], batch: SSRBatch) -> LabelledImages:
        """Return the labelled images that the network that labels learns from: those beside the pairs, else the pairs' own."""
        if batch.beside_image is None:
            return labelled_images(images, batch)
        wanted, batch_size = self.experiment.method.viewpoint_batch, self.experiment.run.batch_size
        return images_beside(self.as_input(batch.beside_image), batch, wanted, batch_size)

    def between_steps(self, step: int, sources: Sources, passes: Passes) -> None:
        """Label all unlabelled images every ``cycle`` steps, if the labelling network is right about the labelled ones.

        Coverage and voxel IoU are told whether it is or not.
        """
        config, unlabelled = self.experiment.method, sources["unlabelled"]
        if self.viewpoints is None or step == 0 or step % config.cycle or not unlabelled.table.num_rows:
            return
        self.eval()
        with torch.no_grad():
            accuracy = self.accuracy_now(sources, passes)
            found = self.label(sources, passes) if accuracy >= config.gate else None
            shapes = self.shapes_now(sources["cycle"], passes)
        self.train()
        passes.tell(*finish_cycle(self.pseudo_labels, found, unlabelled, step, accuracy, shapes, config))

    def accuracy_now(self, sources: Sources, passes: Passes) -> float:
        """Return how often the labelling network is right about labelled images; 0 where there was nothing to tell."""
        if self.experiment.method.gate_on == "last_batch":
            return float(passes.total(self.accuracy) / passes.total(torch.ones(())))
        assert self.viewpoints is not None
        return accuracy_on_all(self.viewpoints, sources["references"], self.experiment.method, self.as_input, passes)

    def label(self, sources: Sources, passes: Passes) -> ViewpointLabels:
        """Visit the unlabelled images once, all workers together; return labels that are the same on each."""
        config = self.experiment.method
        assert self.viewpoints is not None
        return label_all(self.viewpoints, sources["unlabelled"], sources["references"], config, self.as_input, passes)

    def shapes_now(self, views: Samples, passes: Passes) -> dict[str, float]:
        """Return the mean voxel IoU of ``cycle_views`` views of each held-out object; the same on each process."""
        if not views.table.num_rows:
            return {}
        found = (self.evaluate(SSRBatch(**columns)).sums for columns in passes.batches(views))
        iou, count = passes.total(iou_and_count(found)).tolist()
        return {"voxel_iou": iou / count} if count else {}

    def training_samples(self, step: int, sources: Sources) -> Samples:
        """Return the labelled pairs, and those of objects with pseudo-labels once there are any."""
        passes = self.pseudo_labels.passes
        if not passes:
            return sources[TRAIN]
        if self._joined is None or self._joined[0] != passes:
            labels = self.pseudo_labels.labels
            joined = with_pseudo_labels(
                sources[TRAIN], sources["unlabelled"], labels.viewpoint.numpy(), labels.accepted.numpy()
            )
            self._joined = (passes, joined)
        return self._joined[1]

    def evaluate(self, batch: SSRBatch) -> Found:
        """Return voxel IoU at 32^3 by viewpoint, each mesh made solid, as sums with counts."""
        usable = batch.usable.bool()
        assert batch.voxels is not None
        vertices = self.meshes(batch.image[usable, 0])
        return Found(sums_by_view(vertices, self.decoder.faces, batch.viewpoint[usable, 0], batch.voxels[usable]))

    def summarise(self, found: Found) -> dict[str, float]:
        """Return the mean voxel IoU over objects and views; what the last labelling pass found."""
        labels = {f"label_{name}": value for name, value in self.pseudo_labels.latest().items()}
        return {"voxel_iou": mean_iou(found.sums), **labels}

    def artifacts(self, found: Found) -> dict[str, object]:
        """Return the IoU by the view that the mesh is made from."""
        return {"iou_by_view": iou_by_view(found.sums)}

    def figures(self, batch: SSRBatch) -> dict[str, np.ndarray]:
        """Picture meshes of the first images from around, and how coverage and accuracy of the labels went."""
        images, viewpoint = batch.image[:PICTURED, 0], batch.viewpoint[:PICTURED, 0]
        with torch.no_grad():
            vertices = self.meshes(images)
        pictures = {"reconstructions": picture_meshes(images, vertices, self.decoder.faces, viewpoint)}
        if self.pseudo_labels.history:
            pictures["labels"] = label_history(self.pseudo_labels.history, self.experiment.method.cycle_views)
        return pictures
