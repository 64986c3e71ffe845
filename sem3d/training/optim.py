"""Learning rate and BatchNorm momentum as functions of the step, and optimisers from settings."""

import math

import torch
from torch import nn

from sem3d.config import ScheduleConfig
from sem3d.training.distributed import batch_norms


def decay_factor(schedule: ScheduleConfig, step: int) -> float:
    """Return the share of the peak learning rate at ``step``: warm-up times decay.

    Warm-up rises in equal parts from 0 (which would be the step before the first) to 1 at step ``schedule.warmup``.
    """
    rise = min(1.0, (step + 1) / (schedule.warmup + 1))
    progress = min(step / schedule.steps, 1.0)
    if schedule.decay == "polynomial":
        return rise * (1.0 - progress) ** schedule.power
    if schedule.decay == "exponential":
        return rise * schedule.gamma ** (step // schedule.gamma_every)
    if schedule.decay == "cosine":
        return rise * 0.5 * (1.0 + math.cos(math.pi * progress))
    return rise


def batch_norm_momentum(step: int) -> float:
    """Return the released Pri3D's momentum: 0.5, halved every 20 steps, floor 0.001 (Pri3D ``common/solver.py``)."""
    return max(0.5 * 0.5 ** (step // 20), 0.001)


def bytes_of_moments(optimizers: dict[str, torch.optim.Optimizer]) -> int:
    """Return the bytes of state that optimisers will hold once they have stepped: momentum, or Adam's two moments."""
    groups = (group for optimizer in optimizers.values() for group in optimizer.param_groups)
    return sum(
        (2 if "betas" in group else bool(group.get("momentum"))) * value.numel() * value.element_size()
        for group in groups
        for value in group["params"]
    )


def remember_peaks(optimizers: dict[str, torch.optim.Optimizer]) -> None:
    """Note each group's learning rate as the peak that :func:`apply_schedule` scales."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]


def apply_schedule(
    schedule: ScheduleConfig, optimizers: dict[str, torch.optim.Optimizer], model: nn.Module, step: int
) -> None:
    """Set every group's learning rate, and the BatchNorm momentum where the schedule has one, for ``step``."""
    factor = decay_factor(schedule, step)
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
    if schedule.batch_norm_momentum == "released":
        momentum = batch_norm_momentum(step)
        for module in batch_norms(model):
            if hasattr(module, "momentum"):
                module.momentum = momentum  # pyright: ignore[reportArgumentType]  # torch declares tensors and modules only
