"""The optimisers that a method may choose from."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from sem3d.config import OptimizerConfig
from sem3d.errors import UserError

UNCHANGED = OptimizerConfig()


def build_optimizer(parameters: Iterable[Any], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return an optimiser of parameters or parameter groups; a group may set its own ``lr`` or ``weight_decay``.

    Raises :class:`UserError` for a setting that this kind of optimiser does not have.
    """
    foreign = ("beta1", "beta2", "eps") if config.kind == "sgd" else ("momentum", "dampening")
    foreign += ("weight_decay",) * (config.kind == "sparse_adam")
    for name in foreign:
        if getattr(config, name) != getattr(UNCHANGED, name):
            raise UserError(
                f"{name} {getattr(config, name):g} is no setting of the optimiser {config.kind}: leave it out"
            )
    groups: list[Any] = [
        one if isinstance(one, Tensor) else {**one, "params": list(one["params"])} for one in parameters
    ]
    fused = _fused(groups, config)
    if config.kind == "sgd":
        return torch.optim.SGD(
            groups,
            lr=config.lr,
            momentum=config.momentum,
            dampening=config.dampening,
            weight_decay=config.weight_decay,
            fused=fused or None,
        )
    betas = (config.beta1, config.beta2)
    if config.kind == "sparse_adam":
        rows = torch.optim.SparseAdam(groups, lr=config.lr, betas=betas, eps=config.eps)
        rows.register_step_pre_hook(keep_touched_rows)
        return rows
    kind = torch.optim.Adam if config.kind == "adam" else torch.optim.AdamW
    return kind(
        groups, lr=config.lr, betas=betas, eps=config.eps, weight_decay=config.weight_decay, fused=fused or None
    )


def _fused(groups: list[Any], config: OptimizerConfig) -> bool:
    """Return whether one kernel updates all: where it is asked for, or where all weights are on a GPU."""
    values = [value for one in groups for value in ([one] if isinstance(one, Tensor) else one["params"])]
    on_gpu = bool(values) and all(value.is_cuda for value in values)
    return config.fused == "always" or (config.fused == "auto" and on_gpu)


def keep_touched_rows(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Make dense gradients sparse, so that the rows of a table without any stay where they are, their moments too."""
    for group in optimizer.param_groups:
        for value in group["params"]:
            if value.grad is not None and not value.grad.is_sparse:
                value.grad = value.grad.to_sparse(1)
