"""Part labels on the multi-view auto-encoder: the baseline without 3D structure of the paper's Table 1 (2003.12673)."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.config import Experiment
from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.datasets.posed_views import PosedViews
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from sem3d.methods.method import Found, Sources
from sem3d.methods.semantic_srn.autoencoder import PICTURED, AutoencoderTask
from sem3d.methods.semantic_srn.autoencoder_presets import (
    SemanticSRNAutoencoderConfig,
    parts_gpu,
    parts_laptop,
    parts_paper,
    parts_released,
)
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.view_scores import PART_EVALUATIONS, as_pictures, class_ious, label_sums
from sem3d.networks.view_autoencoder import last_layer


class SemanticSRNAutoencoderParts(AutoencoderTask):
    """A linear layer to part labels on an auto-encoder that stays as it is."""

    presets: ClassVar = {"paper": parts_paper, "released": parts_released, "laptop": parts_laptop, "gpu": parts_gpu}
    score = ("miou", "max")
    label_budget = "data.masks"
    evaluations: ClassVar = PART_EVALUATIONS
    published = "sem3d.reporting.papers.semantic_srn:published_table"

    def __init__(
        self, experiment: Experiment[SemanticSRNAutoencoderConfig, PosedViews], sources: Sources | None = None
    ):
        super().__init__(experiment, sources)
        if sources and not self.class_names:
            raise UserError(f"{experiment.data.root} has no masks to learn part labels from")
        self.network.requires_grad_(False)
        self.parts = last_layer(self.network.last_width, max(len(self.class_names), 1))

    @classmethod
    def sources(cls, experiment: Experiment[SemanticSRNAutoencoderConfig, PosedViews]) -> dict[str, Samples]:
        """Open the views with masks of the budget, and pairs of views of held-out objects."""
        return cls.opened(experiment, "labelled")

    def fit(self, stored: dict[str, Tensor]) -> None:
        """Have as many classes as the stored weights, where there are no data."""
        if not self.class_names and "parts.bias" in stored:
            self.parts = last_layer(self.network.last_width, len(stored["parts.bias"]))

    def logits(self, batch: SemanticSRNBatch) -> Float[Tensor, "target class side side"]:
        """Return class scores of all views but the first."""
        with torch.no_grad():
            features = self.network.features(*self.seen(batch))
        return self.parts(features)

    def labels(self, batch: SemanticSRNBatch) -> Int[Tensor, "target side side"]:
        """Return the true classes of all views but the first."""
        return as_pictures(batch.label.flatten(1, 2), batch)[:, 1:].flatten(0, 1)

    def labelled(self, batch: SemanticSRNBatch) -> Int[Tensor, "object height width"]:
        """Return the class of each pixel of the last view of each object."""
        return self.logits(batch).argmax(1).unflatten(0, (len(batch.instance), -1))[:, -1]

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return cross entropy of the labelled pixels of the global batch."""
        return {"label": global_mean(*segmentation_cross_entropy(self.logits(batch), self.labels(batch), UNKNOWN))}

    def evaluate(self, batch: SemanticSRNBatch) -> Found:
        """Return scores of the labels of a batch as sums with counts."""
        usable = self.usable(batch)
        logits = self.logits(batch)[usable]
        return Found(label_sums(logits.argmax(1), self.labels(batch)[usable], logits.shape[1]))

    def artifacts(self, found: Found) -> dict[str, Any]:
        """Return the IoU of each class over the pixels of all pictures."""
        names = self.class_names or tuple(map(str, range(self.parts.out_channels)))
        return {"iou_by_class": dict(zip(names, class_ious(found.sums), strict=True))}

    def figures(self, batch: SemanticSRNBatch) -> dict[str, np.ndarray]:
        """Picture what is seen, and true and predicted parts from elsewhere."""
        views = batch.pixels.shape[1] - 1
        with torch.no_grad():
            found = self.logits(batch)[::views].argmax(1)
        palette = part_palette(self.parts.out_channels)
        columns = {"seen": list(as_bytes(self.colors(batch)[:PICTURED, 0]))}
        for name, ids in (("truth", self.labels(batch)[::views]), ("predicted", found)):
            columns[name] = list(palette[ids[:PICTURED].clamp(min=0).cpu().numpy()])
        return {"parts": picture_grid(columns, palette, self.class_names)}
