"""One optimiser step: micro-batches, backward, agreement that all is finite, clip, update."""

import math
import operator
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import reduce
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

    active: tuple[str, ...]
    """Names of the optimisers whose turn it was."""

    losses: dict[str, float]
    gradient_norm: float
    finite: bool
    stop: bool = False
    """Whether any process wants the run to stop; the same on all."""


def data_parallel(method: Method, optimizers: dict[str, torch.optim.Optimizer]) -> nn.Module:
    """Wrap the method so that backward averages gradients over all processes.

    A method of several optimisers may leave some parameters out of a step; only then DDP has to look for them. Buffers
    are not broadcast: BatchNorm takes its statistics over the global batch, so they are the same on every process.
    """
    if world_size() == 1:
        return method
    return DistributedDataParallel(method, broadcast_buffers=False, find_unused_parameters=len(optimizers) > 1)


def training_step(
    model: nn.Module,
    method: Method,
    optimizers: dict[str, torch.optim.Optimizer],
    batches: Sequence[Callable[[], Any]],
    experiment: Experiment,
    step: int,
    stop: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> StepOutcome:
    """Run one step over the micro-batches that ``batches`` give on the device, one after the other.

    Where any process meets a loss or gradient that is not finite, nothing changes on any: neither weights nor optimiser
    state nor BatchNorm statistics. ``stop`` is this process's wish to end, told to the others along with the losses. The
    host does ``meanwhile`` when all work but the update is launched and before it waits for a GPU, which it does here once: what
    the losses are decides on the update.
    """
    chosen = method.active_optimizers(step)
    active = tuple(optimizers) if chosen is None else chosen
    statistics = _batch_statistics(method)
    method.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for index, batch in enumerate(batches):
        last = index == len(batches) - 1
        silent = nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()
        with silent:
            losses = _forward(model, batch(), experiment, step)
            (reduce(operator.add, losses.values()) / len(batches)).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach().double() / len(batches)
    moving = [parameter for name in active for group in optimizers[name].param_groups for parameter in group["params"]]
    gradients = [parameter.grad for parameter in moving if parameter.grad is not None]
    norm = gradient_norm(gradients)
    names = sorted(sums)
    local = torch.stack([*(sums[name] for name in names), norm.double(), sums[names[0]].new_full((), float(stop))])
    meanwhile()
    *means, mean_norm, stops = (all_sum(local) / world_size()).tolist()
    finite = all(math.isfinite(value) for value in [*means, mean_norm])
    if finite:
        if experiment.optim.clip_norm > 0:
            clip_gradients(gradients, experiment.optim.clip_norm, norm)
        for name in active:
            optimizers[name].step()
    else:
        _restore(statistics)
    return StepOutcome(active, dict(zip(names, means, strict=True)), mean_norm, finite, stops > 0)


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Return the norm over all gradients, dense and sparse; what a sparse one holds of a row more than once is added up."""
    return torch.nn.utils.get_total_norm([_values(gradient) for gradient in gradients])


def clip_gradients(gradients: Sequence[Tensor], most: float, norm: Tensor) -> None:
    """Scale all gradients, in place, so that their ``norm`` is at most ``most``."""
    share = (most / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(share.to(gradient.dtype))


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _forward(model: nn.Module, batch: Any, experiment: Experiment, step: int) -> dict[str, Tensor]:
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=experiment.run.precision == "bfloat16"):
        return model(batch, step)


def _batch_statistics(method: Method) -> list[tuple[Tensor, Tensor]]:
    """Return BatchNorm buffers of the method, each with a copy of its value; copied together, which a GPU is launched for once a
    type and not hundreds of times.
    """
    buffers = [buffer for module in batch_norms(method) for buffer in module.buffers(recurse=False)]
    copies = [torch.empty_like(buffer) for buffer in buffers]
    for kind in {buffer.dtype for buffer in buffers}:
        of_kind = [pair for pair in zip(copies, buffers, strict=True) if pair[1].dtype == kind]
        to, of = (list(part) for part in zip(*of_kind, strict=True))
        torch._foreach_copy_(to, of)  # pyright: ignore[reportPrivateImportUsage]  # as torch's own optimisers do
    return list(zip(buffers, copies, strict=True))


def _restore(statistics: list[tuple[Tensor, Tensor]]) -> None:
    for buffer, before in statistics:
        buffer.copy_(before)
