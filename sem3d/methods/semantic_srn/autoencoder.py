"""Semantic SRN's baseline without 3D structure: the multi-view auto-encoder of Tatarchenko et al. (2003.12673, section 4.1).

Pretraining (:class:`SemanticSRNAutoencoder`) learns the picture of an object from one viewpoint given its picture from another,
without masks. Part labels (:mod:`sem3d.methods.semantic_srn.autoencoder_parts`) are one linear transposed convolution of the
features that the last layer makes colours of, trained on the masks of the budget; all else stays as it is. New objects are seen
in the observed view alone. The first view of a sample is what the network sees, the others are what it predicts.

Unlike the released mv3d: colours are over white, and of objects alone, without its depth; batches are of any size.
"""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.chosen_views import with_views
from sem3d.datasets.posed_views import OpenedViews, PosedViews, Split, class_names, open_posed_views, sources_of
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.evaluation.novel_views import psnr
from sem3d.losses.segmentation import global_mean
from sem3d.methods.initial_parts import load_parts, own_weights
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Found, Method, Sources
from sem3d.methods.semantic_srn.autoencoder_presets import SemanticSRNAutoencoderConfig, gpu, laptop, paper, released
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.view_scores import as_pictures, view_metrics, with_count
from sem3d.networks.view_autoencoder import ViewAutoencoder, viewpoints

SCALE = 0.75
"""Colours in [-1, 1] are learnt in [-0.75, 0.75], where tanh still moves (released)."""
PICTURED = 6


class AutoencoderTask(Method):
    """The auto-encoder, and pairs of views of held-out objects: the observed one, and one of those that are scored."""

    Config = SemanticSRNAutoencoderConfig
    unpredicted = (
        "it predicts views for cameras that its data name, which jobs.evaluate RUN scores; for a picture of yours predict new "
        "views with a run of semantic_srn_instances, labels with one of semantic_srn_unet"
    )
    Data = PosedViews
    Batch = SemanticSRNBatch
    handed_on: ClassVar = ("method.network.",)

    def __init__(
        self, experiment: Experiment[SemanticSRNAutoencoderConfig, PosedViews], sources: Sources | None = None
    ):
        super().__init__(experiment, sources)
        self.class_names = class_names(sources[TRAIN]) if sources else ()
        self.network = ViewAutoencoder(experiment.method.network, experiment.data.size)

    @classmethod
    def opened(
        cls, experiment: Experiment[SemanticSRNAutoencoderConfig, PosedViews], training: str
    ) -> dict[str, Samples]:
        """Open the source ``training``, and pairs of views of val and test objects.

        Raises :class:`UserError` for settings that are not of pairs.
        """
        data = experiment.data
        if data.rays or data.views < 2 or data.observed != 1:
            raise UserError(
                "an auto-encoder sees one whole picture and predicts others: data.rays 0, data.observed 1, and "
                "data.views 2 or more"
            )
        if data.size not in (8, 16, 32, 64, 128):
            raise UserError(f"data.size {data.size} must be 8, 16, 32, 64 or 128 for an auto-encoder")
        opened = open_posed_views(data, experiment.run.storage)
        learnt = sources_of(opened)[training]
        return {TRAIN: learnt, HELD_OUT: pairs(opened, "val"), TESTED: pairs(opened, "test")}

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start from nothing, or from every part that this method and a sem3d checkpoint share; return a line on them."""
        starts = "this auto-encoder starts from scratch or from a run of semantic_srn_autoencoder"
        stored = own_weights(source, without, starts)
        if stored is None:
            return "scratch: all weights are new"
        self.fit(stored)
        return load_parts(self, stored, source, without)

    def fit(self, stored: dict[str, Tensor]) -> None:
        """Have layers of the sizes of the stored weights where no data decide; all are settings here."""

    def seen(self, batch: SemanticSRNBatch) -> tuple[Float[Tensor, "target 3 side side"], Float[Tensor, "target 5"]]:
        """Return the first picture of each object, once for each of its other views, and the viewpoints of those."""
        like = self.network.color.weight
        views = batch.pixels.shape[1] - 1
        first = self.colors(batch)[:, 0].repeat_interleave(views, 0)
        poses = batch.world_from_camera[:, 1:].flatten(0, 1)
        return SCALE * first.permute(0, 3, 1, 2).to(like.dtype), viewpoints(poses.to(like.dtype))

    def colors(self, batch: SemanticSRNBatch) -> Float[Tensor, "object view side side 3"]:
        """Return the pictures of a batch."""
        return as_pictures(batch.color.flatten(1, 2), batch)

    def usable(self, batch: SemanticSRNBatch) -> Tensor:
        """Return which targets are of objects that can be used."""
        return (batch.instance >= 0).repeat_interleave(batch.pixels.shape[1] - 1)

    def summarise(self, found: Found) -> dict[str, float]:
        """Return what :func:`sem3d.methods.semantic_srn.view_scores.view_metrics` does."""
        return view_metrics(found.sums)


class SemanticSRNAutoencoder(AutoencoderTask):
    """Pretraining on pairs of views."""

    presets: ClassVar = {"paper": paper, "released": released, "laptop": laptop, "gpu": gpu}
    score = ("psnr", "max")

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNAutoencoderConfig, PosedViews]) -> dict[str, Samples]:
        """Open views of the training objects, and pairs of views of held-out ones."""
        return cls.opened(experiment, "train")

    def predicted(self, batch: SemanticSRNBatch) -> Float[Tensor, "target side side 3"]:
        """Return the pictures of all views but the first, colours in [-1, 1]."""
        return self.network(*self.seen(batch)).permute(0, 2, 3, 1) / SCALE

    def targets(self, batch: SemanticSRNBatch) -> Float[Tensor, "target side side 3"]:
        """Return the true pictures of all views but the first."""
        return self.colors(batch)[:, 1:].flatten(0, 1)

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return the squared error, summed over channels and a mean over pixels of the global batch."""
        usable = self.usable(batch)
        error = SCALE**2 * (self.predicted(batch) - self.targets(batch)).square().sum(-1).mean((1, 2))
        return {"image": global_mean((error * usable).sum(), usable.sum().to(error.dtype))}

    def evaluate(self, batch: SemanticSRNBatch) -> Found:
        """Return scores of the pictures of a batch as sums with counts."""
        usable = self.usable(batch)
        found, truth = (
            (part[usable].float().clamp(-1, 1) + 1) / 2 for part in (self.predicted(batch), self.targets(batch))
        )
        return Found(with_count("psnr", psnr(found, truth)))

    def figures(self, batch: SemanticSRNBatch) -> dict[str, np.ndarray]:
        """Picture what is seen, what is predicted and the truth."""
        with torch.no_grad():
            columns = {"seen": self.colors(batch)[:, 0], "truth": self.colors(batch)[:, 1]}
            views = batch.pixels.shape[1] - 1
            columns["predicted"] = self.predicted(batch)[::views]
        return {"views": picture_grid({name: list(as_bytes(part[:PICTURED])) for name, part in columns.items()})}


def pairs(opened: OpenedViews, split: Split) -> Samples:
    """Return the observed view of each object of a split with each of the views that are scored; objects take turns."""
    rows = [with_views(row, [*opened.observed(row)[:1], place]) for row, place in opened.scored(opened.rows(split))]
    return opened.samples(rows, f"{split} pairs")
