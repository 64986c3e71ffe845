"""The device of a process, and batches on it."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sem3d.errors import UserError


def chosen_device(device: Literal["auto", "cpu", "gpu"]) -> torch.device:
    """Return the device that ``run.device`` means in a plain process. Raises :class:`UserError` without a GPU to take."""
    if device == "gpu" and not torch.cuda.is_available():
        raise UserError("run.device gpu: torch sees no GPU on this machine; leave it at auto, or choose cpu")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def tensors(columns: dict[str, np.ndarray], device: torch.device) -> dict[str, Tensor]:
    """Return copies of a batch's columns on ``device``."""
    return {name: torch.tensor(array).to(device, non_blocking=True) for name, array in columns.items()}
