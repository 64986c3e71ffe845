"""The training step of Pri3D on a GPU with batches at hand in the host's memory: pairs a second, and how long the GPU is busy.

Batches go to the GPU as those of a run do, one step ahead. Pairs look around one generated room, so frames of a batch have
about as many voxels as ScanNet's.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import torch

from jobs.benchmarks import on_gpu, presets
from jobs.benchmarks.on_gpu import busy_share, milliseconds
from sem3d.config import Compiler, Experiment, override
from sem3d.methods.pri3d import Pri3D
from sem3d.runs.device import sent
from sem3d.runs.load import build_method
from sem3d.training.compiler import compile_parts
from sem3d.training.step import training_step

SIZES: dict[str, tuple[int, int]] = {"paper": (16, 100), "laptop": (32, 600)}
"""Pairs a step, and pairs a second that are asked for, of each preset."""
COMPILERS: tuple[Compiler, ...] = ("never", "inductor", "cudagraphs")
CHANGES: dict[str, Any] = {"init": "scratch", "run.precision": "bfloat16"}
CALLS = 5


def lines() -> Iterator[str]:
    """Yield a line for each preset and way to compile its 2D network; raise a :class:`UserError` without a GPU."""
    on_gpu.require("pri3d_step")
    for preset, (pairs, asked) in SIZES.items():
        experiment = override(Pri3D.presets[preset](), {**CHANGES, "run.batch_size": pairs})
        columns = presets.pairs(experiment, pairs)
        voxels = len(columns["voxel"])
        for compiler in COMPILERS:
            torch.manual_seed(0)
            step = _steps(experiment, columns, compiler)
            one = milliseconds(step, CALLS)
            yield (
                f"Pri3D {preset}, {pairs} pairs a step, {voxels} voxels, {experiment.run.precision}, "
                f"2D network compiled {compiler}: {one:.1f} ms, {1000 * pairs / one:.0f} pairs/s (asked {asked}), "
                f"GPU busy {100 * busy_share(step, CALLS):.0f} %"
            )


def _steps(experiment: Experiment, columns: presets.Columns, compiler: Compiler) -> Callable[[], None]:
    """Return a function that makes one step."""
    device = torch.device(on_gpu.DEVICE)
    method = build_method(Pri3D, experiment, None)[0].to(device).train()
    compile_parts(method, compiler)
    optimizers = method.optimizers()
    wanted = {field.name for field in fields(Pri3D.Batch)} - ({"depth"} if not experiment.method.depth_head else set())
    arrays = {name: value.numpy() for name, value in columns.items() if name in wanted}
    ahead = [sent(arrays, device)]

    def look_ahead() -> None:
        ahead[0] = sent(arrays, device)

    def step() -> None:
        received = ahead[0]
        training_step(
            method, method, optimizers, [lambda: Pri3D.Batch(**received())], experiment, 0, meanwhile=look_ahead
        )

    return step
