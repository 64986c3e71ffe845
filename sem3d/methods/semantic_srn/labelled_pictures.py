"""Labels of the pixels of whole pictures: loss, scores and figure that methods share which score the classes of pixels."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.evaluation.figures.part_colours import part_palette
from sem3d.evaluation.figures.picture_grid import picture_grid
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from sem3d.methods.method import Found
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.novel_views import as_bytes
from sem3d.methods.semantic_srn.view_scores import label_pictures, label_sums

PICTURED = 6
"""Pictures of a figure."""


class LabelledPictures:
    """A mix-in for methods whose network sees the pictures of a batch and scores the classes of their pixels."""

    class_names: tuple[str, ...]

    @abstractmethod
    def seen(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture height width 3"]:
        """Return the pictures of all views of a batch as the network sees them, colours in [-1, 1]."""

    @abstractmethod
    def logits(self, batch: SemanticSRNBatch) -> Float[Tensor, "picture class height width"]:
        """Return class scores of the pixels of all views of a batch."""

    def labelled(self, batch: SemanticSRNBatch) -> Int[Tensor, "object height width"]:
        """Return the class of each pixel of the last view of each object."""
        return self.logits(batch).argmax(1).unflatten(0, batch.pixels.shape[:2])[:, -1]

    def forward(self, batch: SemanticSRNBatch, step: int) -> dict[str, Tensor]:
        """Return cross entropy of the labelled pixels of the global batch."""
        total, count = segmentation_cross_entropy(self.logits(batch), label_pictures(batch), UNKNOWN)
        return {"label": global_mean(total, count)}

    def evaluate(self, batch: SemanticSRNBatch) -> Found:
        """Return scores of the pictures of a batch as sums with counts."""
        usable = (batch.instance >= 0).repeat_interleave(batch.pixels.shape[1])
        logits = self.logits(batch)[usable]
        return Found(label_sums(logits.argmax(1), label_pictures(batch)[usable], logits.shape[1]))

    def figures(self, batch: SemanticSRNBatch) -> dict[str, np.ndarray]:
        """Picture the first views of a batch as they are seen, with their true and their predicted parts."""
        with torch.no_grad():
            scores = self.logits(batch)
        truth, classes = label_pictures(batch), scores.shape[1]
        return {"parts": parts_figure(self.seen(batch), truth, scores.argmax(1), classes, self.class_names)}


def parts_figure(
    color: Float[Tensor, "picture height width 3"],
    truth: Int[Tensor, "picture height width"],
    found: Int[Tensor, "picture height width"],
    classes: int,
    names: Sequence[str],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw the first pictures that a U-Net sees, with their true and their predicted parts."""
    palette = part_palette(classes)
    labels = {name: ids[:PICTURED].clamp(min=0).cpu().numpy() for name, ids in (("truth", truth), ("u-net", found))}
    columns = {"view": list(as_bytes(color[:PICTURED]))}
    columns |= {name: list(palette[ids]) for name, ids in labels.items()}
    return picture_grid(columns, palette, names)
