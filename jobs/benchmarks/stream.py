"""Frame pairs a second through Ray Data against a plain PyTorch DataLoader that does the same work with as many workers.

Both decode, augment, match and collate the same pairs of generated rooms in the same order, one thread a worker, and hand
tensors to a consumer that does nothing. Timing starts half way, when what either side had read ahead is used up.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset

from sem3d.datasets.frame_pairs import pair_samples
from sem3d.datasets.stream import SAMPLE_STREAM, Samples, stream_batches
from sem3d.methods.pri3d import laptop
from sem3d.training.ray.launch import connect
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import write_rooms

BATCH, BATCHES, ROUNDS, SEED = 8, 48, 3, 0
HEIGHT, WIDTH = 240, 320
ROOMS = RoomsConfig(rooms_train=2, rooms_val=1, frames_per_room=20)


class Pairs(Dataset):
    """The samples as a map-style dataset, in the order of the stream."""

    def __init__(self, samples: Samples):
        self.samples, self.order = samples, samples.order(SEED)

    def __len__(self) -> int:
        return BATCH * BATCHES

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        epoch, row = self.order.at(number)
        rng = np.random.default_rng([SAMPLE_STREAM, SEED, epoch, row])
        return self.samples.load(self.samples.table.slice(row, 1).to_pylist()[0], rng)


def rate(batches: Iterator) -> float:
    """Return samples a second of the second half."""
    for _ in range(BATCHES // 2):
        next(batches)
    start = time.perf_counter()
    count = sum(BATCH for _ in batches)
    return count / (time.perf_counter() - start)


def one_thread(_worker: int) -> None:
    """Limit BLAS to one thread, as Ray does for its own: BLAS would else start a thread a core in each worker."""
    threadpool_limits(1)


def with_ray(samples: Samples) -> float:
    """Return samples a second of sem3d's stream."""
    return rate(
        stream_batches(
            samples, seed=SEED, batch_size=BATCH, accumulate=1, rank=0, world_size=1, first_step=0, last_step=BATCHES
        )
    )


def with_data_loader(samples: Samples, workers: int) -> float:
    """Return samples a second of a DataLoader."""

    def to_tensors(loaded: list[dict[str, np.ndarray] | None]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in samples.collate(loaded).items()}

    return rate(
        iter(DataLoader(Pairs(samples), BATCH, num_workers=workers, collate_fn=to_tensors, worker_init_fn=one_thread))
    )


def run() -> list[tuple[str, float, float, str]]:
    """Return median rates of interleaved rounds."""
    workers = os.cpu_count() or 1
    connect(cpus=workers)
    with tempfile.TemporaryDirectory() as folder:
        rooms = Path(folder) / "rooms"
        write_rooms(rooms, ROOMS)
        data = laptop().data
        config = replace(data, root=str(rooms), height=HEIGHT, width=WIDTH, prepare=replace(data.prepare, stride=1))
        samples = pair_samples(config, folder, 0, voxels=True, depth=False)["train"]
        with_ray(samples)
        with_data_loader(samples, workers)
        rounds = [(with_ray(samples), with_data_loader(samples, workers)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return [(f"stream of frame pairs, {workers} workers, against DataLoader", ours, theirs, "samples/s")]
