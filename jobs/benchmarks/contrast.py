"""PointInfoNCE and hardest-contrastive of 16,384 matches, value and gradient, against the same numbers from whole matrices.

Speed is passes a second of CPU time, which others on the machine do not lengthen; memory is passes that a gibibyte would hold,
by the growth of the process's largest resident size.
"""

import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sem3d.losses import info_nce
from sem3d.losses.hardest_contrastive import HardestContrast, hardest_contrastive_of_items

MATCHES, ROUNDS = 16_384, 3
Loss = Literal["one_sided", "released", "hardest"]
DIMS: dict[Loss, int] = {"one_sided": 128, "released": 128, "hardest": 32}
"""Length of a feature: PPKT's, Pri3D's with a wide projection, PointContrast's."""
LEAST_GROWTH = 1 << 20
"""Bytes below which growth is not told apart from noise."""


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, tiled, whole, unit); in the way of each loss, the two take turns."""
    rows = []
    for name, dim in DIMS.items():
        torch.manual_seed(0)
        pair = [torch.randn(1, MATCHES, dim).requires_grad_() for _ in range(2)]
        ways = [partial(way, name, *pair) for way in (tiled, whole)]
        measured = [[measure(way, pair) for way in ways] for _ in range(ROUNDS)]
        seconds, growth = ([median(turn[side][what] for turn in measured) for side in range(2)] for what in range(2))
        case = f"{name}, {MATCHES} matches, dim {dim}, {torch.get_num_threads()} threads"
        rows.append((f"speed: {case}", 1 / seconds[0], 1 / seconds[1], "1/CPU s"))
        rows.append((f"memory: {case}", 2**30 / growth[0], 2**30 / growth[1], "1/GiB"))
    return rows


def tiled(name: Loss, anchor: Tensor, positive: Tensor) -> Tensor:
    """Return the loss as training computes it for many matches."""
    if name == "hardest":
        return hardest_contrastive_of_items(anchor, positive, HardestContrast(candidates=0))
    return info_nce.point_info_nce_of_items(anchor, positive, 0.07, name)


def whole(name: Loss, anchor: Tensor, positive: Tensor) -> Tensor:
    """Return the same loss with the matrix of all pairs in memory."""
    if name != "hardest":
        limit, info_nce.WHOLE = info_nce.WHOLE, MATCHES
        try:
            return info_nce.point_info_nce_of_items(anchor, positive, 0.07, name)
        finally:
            info_nce.WHOLE = limit
    one, other = (F.normalize(features[0], dim=1) for features in (anchor, positive))
    settings = HardestContrast()
    squares = 2 - 2 * one @ other.T
    near = torch.relu(squares.diagonal() - settings.positive_margin)
    others = squares.masked_fill(torch.eye(len(one), dtype=torch.bool), torch.inf)
    lacks = [
        torch.relu(settings.negative_margin - (others.min(axis).values.clamp(min=0) + 1e-7).sqrt()).square().mean()
        for axis in (0, 1)
    ]
    return near.mean() + settings.negative_weight * (lacks[0] + lacks[1]) / 2


def measure(way: Callable[[], Tensor], pair: list[Tensor]) -> tuple[float, float]:
    """Return CPU seconds and growth of the largest resident size, bytes, of a loss and its gradient."""
    for features in pair:
        features.grad = None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the largest size from here
    before = resident("VmRSS")
    start = time.process_time()
    way().backward()
    return time.process_time() - start, max(resident("VmHWM") - before, LEAST_GROWTH)


def resident(field: str) -> float:
    """Return a size of this process by its name in ``/proc/self/status``, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * float(next(line for line in lines if line.startswith(field)).split()[1])
