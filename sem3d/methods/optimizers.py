"""The optimisers that a method may choose from."""

from collections.abc import Iterable
from typing import Any

import torch

from sem3d.config import OptimConfig


def build_optimizer(parameters: Iterable[Any], config: OptimConfig) -> torch.optim.Optimizer:
    """SGD or AdamW over parameters or parameter groups; a group may set its own ``lr`` or ``weight_decay``."""
    if config.kind == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=config.lr,
            momentum=config.momentum,
            dampening=config.dampening,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(parameters, lr=config.lr, betas=(config.momentum, 0.999), weight_decay=config.weight_decay)
