"""Calls for which the host would wait for a GPU, recorded on a CPU by the line of sem3d that makes them."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import sem3d

ROOM = Path(sem3d.__file__).parent
HERE = Path(__file__)
TORCH = Path(torch.__file__).parent
OPTIMISERS = TORCH / "optim"
SIZED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount", "equal"}
"""Operators whose result has a size, or is a number, that the host must know."""
READ = {"tolist", "numpy", "cpu"}
"""Methods of a tensor that bring it to the host; ``item`` and the like are one operator, ``_local_scalar_dense``."""


@contextmanager
def host_waits(room: Path = ROOM) -> Iterator[Counter[str]]:
    """Count the waits meanwhile by ``file:function`` of ``room``; a GPU is waited for before its values, or copies from pageable
    memory, are there.

    What is on the host on purpose cannot be told from what would be on a GPU, so a caller knows which places may read values.
    """
    waits = _Waits(room)
    with _Functions(waits), _Operators(waits):
        yield waits.found


class _Waits:
    def __init__(self, room: Path):
        self.room = room
        self.found: Counter[str] = Counter()

    def count(self, frame: Any, direct: bool = False) -> None:
        """Count the innermost function of the room; if ``direct``, only where nothing of torch's own lies between."""
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(OPTIMISERS):
                return  # an optimiser's own counters lie on the host
            if path.is_relative_to(self.room) and path != HERE:
                self.found[f"{path.relative_to(self.room)}:{frame.f_code.co_name}"] += 1
                return
            if direct and path.is_relative_to(TORCH):
                return
            frame = frame.f_back


class _Operators(TorchDispatchMode):
    def __init__(self, waits: _Waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if (
            name in SIZED_BY_VALUES
            or name == "_local_scalar_dense"
            or (name == "repeat_interleave" and kwargs.get("output_size") is None and isinstance(args[0], Tensor))
            or (name == "index" and _by_mask(args[1]))
            or (name in ("index_put", "index_put_", "_index_put_impl_") and _by_mask(args[1]) and args[2].numel() != 1)
        ):
            self.waits.count(sys._getframe(1))
        return func(*args, **kwargs)


class _Functions(TorchFunctionMode):
    def __init__(self, waits: _Waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        made = name in ("tensor", "as_tensor") and "device" in kwargs and not isinstance(args[0], Tensor)
        places = [*args[1:], kwargs.get("device")]
        moved = name == "to" and any(isinstance(place, torch.device | str | Tensor) for place in places)
        if made or name in READ or name == "new_tensor" or (moved and not kwargs.get("non_blocking")):
            self.waits.count(sys._getframe(1), direct=True)
        return func(*args, **kwargs)


def _by_mask(indices: Any) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)
