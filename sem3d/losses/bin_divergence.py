"""Divergence of scores of bins from the shares that labels give them: cross entropy for hard labels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def bin_divergence(scores: Float[Tensor, "item bin"], labels: Float[Tensor, "item bin"]) -> Float[Tensor, " item"]:
    """Return ``sum labels (log labels - log softmax scores)`` of each item (SemanticTransfer); labels that are 1 for one bin and
    0 for others make it the cross entropy (2D-3D-2D, section 4.3). Computed in float32 at least.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return F.kl_div(scores.log_softmax(1), labels.to(scores.dtype), reduction="none").sum(1)
