"""Losses of rendered rays (Semantic SRN, section 4; SRN, equation 6); each a mean over the global batch."""

from collections.abc import Collection

from jaxtyping import Bool, Float
from torch import Tensor

from sem3d.datasets.objects.part_classes import UNKNOWN
from sem3d.losses.segmentation import global_mean, segmentation_cross_entropy
from sem3d.methods.semantic_srn.batch import SemanticSRNBatch
from sem3d.methods.semantic_srn.config import LossWeights
from sem3d.methods.semantic_srn.views import Views


def mean_of_usable(values: Float[Tensor, "object *shape"], usable: Bool[Tensor, " object"]) -> Float[Tensor, ""]:
    """Return the mean of the values of usable objects over all workers; 0 with its graph where there is none."""
    chosen = values * usable.view(-1, *[1] * (values.dim() - 1))
    return global_mean(chosen.sum(), usable.sum().to(values.dtype) * values[0].numel())


def image_loss(views: Views, batch: SemanticSRNBatch) -> Float[Tensor, ""]:
    """Return the mean squared difference of colours, and of opacities moved to [-1, 1] where the network has them."""
    color = views.rendered.color.to(views.latents.dtype)
    found, opacity = color[..., :3], color[..., 3:]
    wrong = (found - batch.color.flatten(1, 2)).square().sum(-1)
    if opacity.shape[-1]:
        wrong = wrong + (opacity[..., 0] - (2 * batch.alpha.flatten(1, 2) - 1)).square()
    return mean_of_usable(wrong / color.shape[-1], batch.instance >= 0)


def depth_loss(views: Views, batch: SemanticSRNBatch) -> Float[Tensor, ""]:
    """Return the mean square of camera depths below 0, where nothing can be seen (SRN, L_depth)."""
    depth = views.rendered.distance * views.rays.cosine
    return mean_of_usable(depth.clamp(max=0).square(), batch.instance >= 0)


def label_loss(logits: Float[Tensor, "object ray class"], batch: SemanticSRNBatch) -> Float[Tensor, ""]:
    """Return the mean cross entropy of the rays whose class is known, background too (equation 4, with its sign)."""
    total, count = segmentation_cross_entropy(logits.flatten(0, 1), batch.label.flatten(), UNKNOWN)
    return global_mean(total, count)


def scene_losses(
    views: Views, batch: SemanticSRNBatch, weights: LossWeights, modalities: Collection[str] = ("image", "label")
) -> dict[str, Tensor]:
    """Return losses by name, weighted: of the ``modalities``, labels only where there are logits, and of depth and latents."""
    losses = {
        "depth": weights.depth * depth_loss(views, batch),
        "latent": weights.latent * mean_of_usable(views.latents.square(), batch.instance >= 0),
    }
    if "image" in modalities:
        losses["image"] = weights.image * image_loss(views, batch)
    if "label" in modalities and views.logits is not None:
        losses["label"] = weights.label * label_loss(views.logits, batch)
    return losses
