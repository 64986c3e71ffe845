"""Wasserstein losses of a critic with a penalty on its gradient (WGAN-GP, Gulrajani et al., NIPS 2017)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Critic = Callable[[Tensor], Tensor]
LEAST_SQUARE = 1e-12
"""Added to a squared length below its root, whose gradient is infinite at 0."""


def gradient_penalty(
    critic: Critic,
    real: Float[Tensor, "batch *shape"],
    fake: Float[Tensor, "batch *shape"],
    mix: Float[Tensor, " batch"],
) -> Float[Tensor, " batch"]:
    """Return ``(|grad D(x)| - 1)^2`` of each item at ``x = mix real + (1 - mix) fake``, itself differentiable by the critic."""
    share = mix.to(real.dtype).view(-1, *[1] * (real.dim() - 1))
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    with torch.enable_grad():
        scores = critic(between)
        (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=torch.is_grad_enabled())
    length = (gradient.flatten(1).square().sum(1) + LEAST_SQUARE).sqrt()
    return (length - 1).square()


def critic_costs(
    critic: Critic,
    real: Float[Tensor, "batch *shape"],
    fake: Float[Tensor, "batch *shape"],
    mix: Float[Tensor, " batch"],
    weight: float,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Return of each item ``D(fake) - D(real)``, and ``weight`` times its penalty; the critic falls along their sum."""
    return critic(fake) - critic(real), weight * gradient_penalty(critic, real, fake, mix)
