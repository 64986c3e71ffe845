"""A toy's run as one of two processes, without Ray."""

from pathlib import Path

from sem3d.config import Experiment
from sem3d.methods.method import Method
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from tests.training.toy_method import stream_in_process, stream_once_in_process


def fit_half(rank: int, folder: Path, method: type[Method], experiment: Experiment) -> int:
    """Train in the run folder; the process group says which half of each batch is this process's."""
    context = TrainingContext(run_folder=folder, stream_batches=stream_in_process, stream_once=stream_once_in_process)
    fit(method, experiment, context)
    return rank
