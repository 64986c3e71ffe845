"""Optimiser steps a second of a whole sem3d run on Ray against bare torch DDP.

Both train Pri3D's laptop preset on the frame pairs of generated rooms, with as many processes, one thread each, and read data
in as many processes of one thread again. The rival is a plain DistributedDataParallel loop over a DataLoader: no guard against
losses that are not finite, no progress lines, no MLflow. Timing starts at the first batch and leaves out the evaluation and the
checkpoint at the end, which the rival does not have.
"""

import multiprocessing
import operator
import statistics
import tempfile
import time
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from jobs.benchmarks.stream import one_thread
from sem3d.config import Experiment, override
from sem3d.datasets.stream import Samples, load_batch
from sem3d.methods.method import TRAIN
from sem3d.methods.pri3d import Pri3D, laptop
from sem3d.training.context import seed_everything
from sem3d.training.ray.launch import connect, train
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import write_rooms

STEPS, ROUNDS, WORKERS = 40, 2, (1, 2)
ROOMS = RoomsConfig(rooms_train=2, rooms_val=1, frames_per_room=20)
NETWORK: dict[str, Any] = {}
"""Changes of the laptop preset."""


class Batches(Dataset):
    """This process's share of every global batch."""

    def __init__(self, samples: Samples, experiment: Experiment, rank: int):
        self.samples, self.rank = samples, rank
        self.batch, self.share = experiment.run.batch_size, experiment.run.batch_size // experiment.run.workers
        self.order, self.steps = samples.order(experiment.run.seed), experiment.schedule.steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        start = number * self.batch + self.rank * self.share
        return load_batch(self.samples, self.order, range(start, start + self.share))[0]


def first(items: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Return the one item of a list, as tensors."""
    return {name: torch.from_numpy(array) for name, array in items[0].items()}


def bare(rank: int, folder: str, experiment: Experiment, report: multiprocessing.SimpleQueue) -> None:
    """Run process ``rank`` of the rival; process 0 reports steps a second."""
    torch.set_num_threads(1)
    workers = experiment.run.workers
    path = f"{folder}/store-{experiment.run.name}"
    store = dist.FileStore(path, workers)  # pyright: ignore[reportPrivateImportUsage]  # documented, but not in __all__
    dist.init_process_group("gloo", store=store, rank=rank, world_size=workers, timeout=timedelta(seconds=120))
    seed_everything(experiment.run.seed)
    method = Pri3D(experiment).train()
    model = DistributedDataParallel(method)
    optimizer = method.optimizers()["main"]
    batches = Batches(Pri3D.sources(experiment)[TRAIN], experiment, rank)
    start = 0.0
    for step, columns in enumerate(DataLoader(batches, num_workers=1, collate_fn=first, worker_init_fn=one_thread)):
        start = start or time.perf_counter()
        optimizer.zero_grad()
        reduce(operator.add, model(method.Batch(**columns), step).values()).backward()
        optimizer.step()
    if rank == 0:
        report.put(experiment.schedule.steps / (time.perf_counter() - start))
    dist.destroy_process_group()


def with_bare_ddp(folder: str, experiment: Experiment) -> float:
    """Return steps a second of the rival."""
    spawn = multiprocessing.get_context("spawn")
    report = spawn.SimpleQueue()
    processes = [
        spawn.Process(target=bare, args=(rank, folder, experiment, report)) for rank in range(experiment.run.workers)
    ]
    for process in processes:
        process.start()
    rate = report.get()
    for process in processes:
        process.join()
    return rate


def with_sem3d(experiment: Experiment) -> float:
    """Return steps a second of a run on Ray Train, checkpoints and progress lines included."""
    return STEPS / train("pri3d", experiment, say=[].append).seconds["training"]


def run() -> list[tuple[str, float, float, str]]:
    """Return median rates of interleaved rounds, for each number of workers."""
    connect(cpus=2 * max(WORKERS))
    with tempfile.TemporaryDirectory() as folder:
        rooms = Path(folder) / "rooms"
        write_rooms(rooms, ROOMS)
        return [measured(folder, rooms, workers) for workers in WORKERS]


def measured(folder: str, rooms: Path, workers: int) -> tuple[str, float, float, str]:
    """Return both sides with so many workers."""
    experiment = override(
        laptop(),
        NETWORK
        | {
            "data.root": str(rooms),
            "data.prepare.stride": 1,
            "data.evaluation_pairs": 8,
            "init": "scratch",
            "optim.kind": "sgd",
            "optim.lr": 1e-3,
            "schedule.steps": STEPS,
            "run.storage": folder,
            "run.workers": workers,
            "run.device": "cpu",
        },
    )
    rounds = []
    for number in range(ROUNDS):
        named = override(experiment, {"run.name": f"workers-{workers}-round-{number}"})
        rounds.append((with_sem3d(named), with_bare_ddp(folder, named)))
    ours, theirs = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return f"training step, {workers} worker{'s' * (workers > 1)}, against bare DDP", ours, theirs, "steps/s"
