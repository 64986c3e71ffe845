"""The stream that feeds a GPU at the size of Pri3D's preset paper: time to the first batch and pairs a second over all cores.

Nothing runs on the GPU meanwhile: a training leaves the cores to the stream but for one. The rival is a DataLoader with as many
workers on the same work, as in :mod:`jobs.benchmarks.stream`.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jobs.benchmarks import on_gpu, stream
from sem3d.datasets.frame_pairs import pair_samples
from sem3d.datasets.stream import Samples, stream_batches
from sem3d.methods.pri3d import Pri3D
from sem3d.training.ray.launch import connect
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import write_rooms

PRESET = "paper"
ROOMS = RoomsConfig(rooms_train=8, rooms_val=1, frames_per_room=20)
FIRST, PAIRS = 5, 200
"""Seconds to the first batch, and pairs a second of 16 cores, that are asked for."""


def lines() -> Iterator[str]:
    """Yield a line for each measurement when it is made; raise a :class:`UserError` without a GPU."""
    on_gpu.require("stream")
    cores = os.cpu_count() or 1
    connect(cpus=cores)
    with tempfile.TemporaryDirectory() as folder:
        rooms = Path(folder) / "rooms"
        write_rooms(rooms, ROOMS)
        data = Pri3D.presets[PRESET]().data
        data = replace(data, root=str(rooms), prepare=replace(data.prepare, stride=1))
        samples = pair_samples(data, folder, 0, voxels=True, depth=False)["train"]
        what = f"pairs of {data.height} x {data.width}, {data.matches} matches"
        yield f"stream, {what}: first batch of {stream.BATCH} after {_first_batch(samples):.1f} s (asked {FIRST})"
        ours = stream.with_ray(samples)
        yield f"stream, {what}: {ours:.0f} pairs/s on {cores} cores, {ours / cores:.1f} a core (asked {PAIRS} on 16)"
        theirs = stream.with_data_loader(samples, cores)
        yield f"DataLoader of {cores} workers on the same work: {theirs:.0f} pairs/s, {ours / theirs:.2f}x"


def _first_batch(samples: Samples) -> float:
    """Return the seconds from asking for a run's stream to its first batch, Ray's processes being up."""
    start = time.perf_counter()
    batches = stream_batches(
        samples,
        seed=stream.SEED,
        batch_size=stream.BATCH,
        accumulate=1,
        rank=0,
        world_size=1,
        first_step=0,
        last_step=stream.BATCHES,
    )
    next(batches)
    return time.perf_counter() - start
