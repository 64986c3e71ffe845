"""Constants beside a tensor, on a GPU too without a wait for it."""

from typing import Any

import torch
from torch import Tensor


def constant(values: Any, like: Tensor) -> Tensor:
    """Return numbers, nested as their shape is, in the type and on the device of ``like``.

    ``like.new_tensor`` would wait until a GPU has done all that it was given: its copy may not lag behind the call. Numbers as
    few as these are read before the call returns, so this one may.
    """
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)
