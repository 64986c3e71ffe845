"""The device of all benchmarks of a GPU, and how they time a call on it; a dry run sets the device to a CPU and all sizes small.

Each time is that of one call among many without a wait between them, so launches count where they take longer than the work
itself. Compilation is not in it.
"""

import time
from collections.abc import Callable, Iterable
from statistics import median

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from sem3d.errors import UserError

DEVICE, HALF = "cuda", torch.bfloat16
WARM, CALLS, ROUNDS = 2, 20, 5
"""First calls, which are not counted; calls a round; rounds, of which the median counts."""
PRODUCT = 8192


def require(case: str) -> None:
    """Raise :class:`UserError` without a GPU."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        raise UserError(f"{case} --device gpu: PyTorch sees no CUDA device; leave --device out on a CPU")


def milliseconds(work: Callable[[], object], calls: int | None = None) -> float:
    """Return the median over the rounds of one call's time."""
    calls = CALLS if calls is None else calls
    seconds = []
    for _ in range(WARM):
        work()
    for _ in range(ROUNDS):
        wait()
        start = time.perf_counter()
        for _ in range(calls):
            work()
        wait()
        seconds.append((time.perf_counter() - start) / calls)
    return 1000 * median(seconds)


def busy_share(work: Callable[[], object], calls: int) -> float:
    """Return the share of the time from the first kernel to the last in which any runs, by ``torch.profiler``."""
    on_gpu = DEVICE == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as found:
        for _ in range(calls):
            work()
        wait()
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    ran = [event.time_range for event in found.events() or [] if event.device_type == kind]
    return covered((span.start, span.end) for span in ran)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the share that the spans cover of the time from the first begin to the last end; 0 of no time."""
    ordered = sorted(spans)
    total = until = 0.0
    for begin, end in ordered:
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    length = until - ordered[0][0] if ordered else 0.0
    return total / length if length else 0.0


def product() -> str:
    """Return a line on the product of two large matrices, which other figures stand beside."""
    left, right = (torch.randn(PRODUCT, PRODUCT, device=DEVICE, dtype=HALF) for _ in range(2))
    rate = 2e-9 * PRODUCT**3 / milliseconds(lambda: left @ right)
    return f"product of {PRODUCT} x {PRODUCT} matrices, {name_of(HALF)}: {rate:.0f} TFLOP/s"


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type as people write it."""
    return str(dtype).removeprefix("torch.")


def wait() -> None:
    """Wait until the GPU has done everything."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
