"""A toy's run on two gloo processes, without Ray."""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from sem3d.config import Experiment
from sem3d.methods.method import Method
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from tests.training.toy_method import stream_in_process, stream_once_in_process


def fit_half(rank: int, folder: Path, method: type[Method], experiment: Experiment) -> None:
    """Train as process ``rank`` of two, in the run folder ``folder/run``."""
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    context = TrainingContext(
        run_folder=folder / "run", stream_batches=stream_in_process, stream_once=stream_once_in_process
    )
    fit(method, experiment, context)
    dist.destroy_process_group()
