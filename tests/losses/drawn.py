"""Features of two sides, drawn by a seed."""

import torch


def features(*shape: int, seed: int = 0) -> list[torch.Tensor]:
    """Two tensors of float64 that ask for gradients."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2)]
