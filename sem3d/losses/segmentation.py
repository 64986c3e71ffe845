"""Cross entropy of labelled places, pixels or points, averaged over those of the global batch."""

import torch
import torch.distributed
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional as F


def segmentation_cross_entropy(
    logits: Float[Tensor, "batch class *place"],
    labels: Integer[Tensor, "batch *place"],
    ignored: int = 0,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the sum of ``-log softmax`` over the places whose label is not ``ignored``, and their number.

    The axis of points alone is ``batch``.

    Pri3D gives class 0 (unlabelled) the weight 0 and all others 1, but lets it be predicted. Computed in float32 at least;
    the sum of no places is a zero that keeps the graph. :func:`global_mean` makes a loss of the two.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    cost = F.cross_entropy(logits, labels.long(), ignore_index=ignored, reduction="sum")
    return cost, (labels != ignored).sum().to(cost.dtype)


def global_mean(total: Float[Tensor, ""], count: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Divide ``total`` of this worker by the mean over workers of ``count``, so that the mean over workers is the
    global mean.

    Data parallelism averages gradients over workers: the sum of totals by the sum of counts is what it then follows,
    however unevenly the places are dealt. Every worker must call this. A count of 0 everywhere gives 0.
    """
    count = count.detach().clone()
    workers = 1
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        workers = torch.distributed.get_world_size()
        torch.distributed.all_reduce(count)
    return total * workers / count.clamp(min=1)
