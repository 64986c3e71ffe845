"""Gradients of a method on two gloo processes, each with half of a batch."""

from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file

from sem3d.config import Experiment
from sem3d.methods.method import Sources
from tests.methods.tiny import build_tiny


def gradients(
    name: str, experiment: Experiment, sources: Sources, columns: dict[str, np.ndarray]
) -> dict[str, torch.Tensor]:
    """Gradients of the summed losses in float64, by trainable parameter, and the BatchNorm buffers after the step."""
    method = build_tiny(name, experiment, sources).double()
    losses = method(method.Batch(**{key: torch.tensor(column) for key, column in columns.items()}), 0)
    sum(losses.values()).backward()
    found = {key: value.grad for key, value in method.named_parameters() if value.requires_grad}
    return found | {key: value for key, value in method.named_buffers() if "running" in key}


def run_half(
    rank: int,
    folder: Path,
    name: str,
    experiment: Experiment,
    sources: Sources,
    halves: list[dict[str, np.ndarray]],
) -> None:
    """Process ``rank``'s part; process 0 writes the averaged gradients to ``folder``."""
    found = gradients(name, experiment, sources, halves[rank])
    for key, value in found.items():
        dist.all_reduce(value)
        found[key] = value / 2
    if rank == 0:
        save_file({key: value.contiguous() for key, value in found.items()}, folder / "gradients.safetensors")
