"""Communication of the training processes: sums, small JSON values.

Everything works without a process group too, as a world of one, so that the loop can be called in a plain process.
"""

import json
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float64, Shaped
from torch import Tensor, nn


def rank() -> int:
    """Return number of this process, 0 .. world_size - 1."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def _collective_device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def all_sum(values: Shaped[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """Sum over all processes in float64, on the CPU; ``values`` stay as they are."""
    total = values.detach().to("cpu", torch.float64, copy=True)
    if world_size() > 1:
        shared = total.to(_collective_device())
        dist.all_reduce(shared)
        total = shared.cpu()
    return total


def broadcast_json(value: Any, source: int = 0) -> Any:
    """Return the JSON value that process ``source`` holds; the others' ``value`` is not looked at."""
    return gather_json(value if rank() == source else None)[source]


def gather_json(value: Any) -> list[Any]:
    """Return every process's JSON value, by rank."""
    return [json.loads(encoded) for encoded in gather_bytes(json.dumps(value).encode())]


def gather_bytes(content: bytes) -> list[bytes]:
    """Return every process's bytes, by rank."""
    if world_size() == 1:
        return [content]
    device = _collective_device()
    encoded = torch.frombuffer(bytearray(content), dtype=torch.uint8).to(device)
    lengths = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(world_size())]
    dist.all_gather(lengths, torch.tensor([len(encoded)], dtype=torch.int64, device=device))
    longest = max(int(length) for length in lengths)
    padded = torch.zeros(longest, dtype=torch.uint8, device=device)
    padded[: len(encoded)] = encoded
    gathered = [torch.zeros_like(padded) for _ in range(world_size())]
    dist.all_gather(gathered, padded)
    return [data[: int(length)].cpu().numpy().tobytes() for data, length in zip(gathered, lengths, strict=True)]


def all_sum_by_name(sums: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add up statistics over all processes; a process without any (it got no batch) counts as zeros."""
    shapes: dict[str, list[int]] = {}
    for theirs in gather_json({name: list(value.shape) for name, value in sums.items()}):
        shapes |= theirs
    nothing = torch.zeros((), dtype=torch.float64)
    return {name: all_sum(sums.get(name, nothing).expand(shape)) for name, shape in sorted(shapes.items())}


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return modules that keep running statistics."""
    return [module for module in model.modules() if isinstance(getattr(module, "running_mean", None), Tensor)]
