"""Latents of objects, which are trained beside the networks (auto-decoder)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

DEVIATION = 0.01
"""Standard deviation of the first latents (released)."""


class LatentTable(nn.Module):
    """A row an object.

    Gradients are dense, so that data parallelism adds them up on every device; an optimiser of the kind ``sparse_adam`` moves
    the rows that a batch has touched and no others.
    """

    def __init__(self, objects: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(objects, dim) * DEVIATION)

    def fit(self, objects: int) -> None:
        """Have room for so many objects, with new latents if that is another number."""
        if objects != len(self.weight):
            fresh = torch.randn(objects, self.weight.shape[1]) * DEVIATION
            self.weight = nn.Parameter(fresh.to(self.weight), requires_grad=self.weight.requires_grad)

    def forward(self, instance: Int[Tensor, " object"]) -> Float[Tensor, "object latent"]:
        """Return the latents of objects by their numbers; of -1, which is no object, some latent without a meaning."""
        return self.weight[instance.clamp(min=0)]
