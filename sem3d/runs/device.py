"""The device of a process, and batches on it."""

from collections.abc import Callable
from functools import cache, partial
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


def sent(columns: dict[str, np.ndarray], device: torch.device) -> Callable[[], dict[str, Tensor]]:
    """Send a batch's columns to ``device``; return a function that gives them there, to be called once, where they are used.

    A GPU gets them from pinned memory, on a stream of their own, so that the copy runs beside what the GPU is doing; whatever
    the caller's stream does after the call waits for it there, and the host does not.
    """
    if device.type != "cuda":
        return partial(tensors, columns, device)
    with torch.cuda.stream(_copy_stream(device)):
        copies = {name: _pinned(array).to(device, non_blocking=True) for name, array in columns.items()}
        arrived = torch.cuda.current_stream(device).record_event()

    def received() -> dict[str, Tensor]:
        user = torch.cuda.current_stream(device)
        user.wait_event(arrived)
        for copy in copies.values():
            copy.record_stream(user)  # its memory belongs to the other stream, which must not reuse it too early
        return copies

    return received


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _pinned(array: np.ndarray) -> Tensor:
    """Return a copy in pinned memory, which the allocator gives out again only when the copy to the GPU has read it."""
    kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
    held = torch.empty(array.shape, dtype=kind, pin_memory=True)
    held.numpy()[...] = array
    return held
