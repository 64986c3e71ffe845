"""One optimiser step: micro-batches, backward, agreement that all is finite, clip, update."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sem3d.config import Experiment
from sem3d.methods.method import Method
from sem3d.training.distributed import all_sum, batch_norms, world_size


@dataclass(frozen=True)
class StepOutcome:
    """Mean losses over all processes, and whether the weights were updated."""

    losses: dict[str, float]
    gradient_norm: float
    finite: bool
    stop: bool = False
    """Whether any process wants the run to stop; the same on all."""


def data_parallel(method: Method) -> nn.Module:
    """The method, wrapped so that backward averages gradients over all processes.

    A method of several optimisers may leave some parameters out of a step; only then DDP has to look for them. Buffers
    are not broadcast: BatchNorm takes its statistics over the global batch, so they are the same on every process.
    """
    if world_size() == 1:
        return method
    return DistributedDataParallel(
        method, broadcast_buffers=False, find_unused_parameters=len(method.optimizer_names) > 1
    )


def training_step(
    model: nn.Module,
    method: Method,
    optimizers: dict[str, torch.optim.Optimizer],
    columns: Sequence[dict[str, Tensor]],
    to_batch: Callable[[dict[str, Tensor]], Any],
    experiment: Experiment,
    step: int,
    stop: bool = False,
) -> StepOutcome:
    """Runs one step over the micro-batches in ``columns``.

    Where any process meets a loss or gradient that is not finite, nothing changes on any: neither weights nor optimiser
    state nor BatchNorm statistics. ``stop`` is this process's wish to end, told to the others along with the losses.
    """
    turn = method.turn(step)
    statistics = _batch_statistics(method)
    method.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for index, micro_batch in enumerate(columns):
        last = index == len(columns) - 1
        silent = nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()
        with silent:
            losses = _forward(model, to_batch(micro_batch), experiment, step)
            (sum(losses.values()) / len(columns)).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach().double() / len(columns)
    moving = [parameter for name in turn for group in optimizers[name].param_groups for parameter in group["params"]]
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in moving if parameter.grad is not None])
    names = sorted(sums)
    local = torch.stack(
        [*(sums[name] for name in names), norm.to(sums[names[0]]), sums[names[0]].new_tensor(float(stop))]
    )
    *means, mean_norm, stops = (all_sum(local) / world_size()).tolist()
    finite = all(math.isfinite(value) for value in [*means, mean_norm])
    if finite:
        if experiment.optim.clip_norm > 0:
            torch.nn.utils.clip_grads_with_norm_(moving, experiment.optim.clip_norm, norm)
        for name in turn:
            optimizers[name].step()
    else:
        _restore(statistics)
    return StepOutcome(dict(zip(names, means, strict=True)), mean_norm, finite, stops > 0)


def _forward(model: nn.Module, batch: Any, experiment: Experiment, step: int) -> dict[str, Tensor]:
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=experiment.run.precision == "bfloat16"):
        return model(batch, step)


def _batch_statistics(method: Method) -> list[tuple[Tensor, Tensor]]:
    """BatchNorm buffers of the method, each with a copy of its value."""
    buffers = [buffer for module in batch_norms(method) for buffer in module.buffers(recurse=False)]
    return [(buffer, buffer.clone()) for buffer in buffers]


def _restore(statistics: list[tuple[Tensor, Tensor]]) -> None:
    for buffer, before in statistics:
        buffer.copy_(before)
