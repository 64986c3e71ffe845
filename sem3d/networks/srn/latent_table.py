"""Latents of objects, which are trained beside the networks (auto-decoder)."""

from typing import Any

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

DEVIATION = 0.01
"""Standard deviation of the first latents (released)."""


class LatentTable(nn.Module):
    """A row an object, and who that is.

    Gradients are dense, so that data parallelism adds them up on every device; an optimiser of the kind ``sparse_adam`` moves
    the rows that a batch has touched and no others.
    """

    identity: Int64[Tensor, " object"]
    """Identities of the objects, which go with their latents from run to run; 0: not known."""

    def __init__(self, objects: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(objects, dim) * DEVIATION)
        self.register_buffer("identity", torch.zeros(objects, dtype=torch.int64))

    def fit(self, objects: int) -> None:
        """Have room for so many objects, with new latents if that is another number."""
        if objects != len(self.weight):
            fresh = torch.randn(objects, self.weight.shape[1]) * DEVIATION
            self.weight = nn.Parameter(fresh.to(self.weight), requires_grad=self.weight.requires_grad)
            self.identity = self.identity.new_zeros(objects)

    def forward(self, instance: Int[Tensor, " object"]) -> Float[Tensor, "object latent"]:
        """Return the latents of objects by their numbers; of -1, which is no object, some latent without a meaning."""
        return self.weight[instance.clamp(min=0)]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take latents of before identities were kept, too."""
        state_dict.setdefault(f"{prefix}identity", self.identity)
        super()._load_from_state_dict(state_dict, prefix, *rest)
