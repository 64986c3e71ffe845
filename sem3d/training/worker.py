"""What Ray Train runs on every worker: finds out who it is, trains, and brings the user's errors home."""

import json
import time
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch

from sem3d.errors import UserError
from sem3d.training import distributed
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.no_tracking import NoTracking
from sem3d.training.tracking import Tracking


def worker_loop(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on this worker; returns the result, or ``{"user_error": line}``.

    A :class:`UserError` is not worth another attempt, so it must not look like a crash to Ray. The worker that meets one
    writes it to the run folder and leaves the process group; the others' collectives then fail, they find it and return
    it too. Where they hang instead (NCCL), this worker raises, Ray starts a new attempt, and that one returns it at once.
    """
    errors = Path(settings["run_folder"]) / f".errors-{settings['launch']}"
    rank, world_size = distributed.rank(), distributed.world_size()
    line = first_error(errors)
    if line:
        return {"user_error": line}
    try:
        return fit(settings["method_class"], settings["experiment"], _context(settings))
    except UserError as error:
        line = str(error)
        _write_error(errors, rank, line)
        if not _all_know(errors, world_size, seconds=1.0):
            torch.distributed.destroy_process_group()
            if not _all_know(errors, world_size, seconds=10.0):
                raise
    except RuntimeError:
        line = first_error(errors)
        if not line:
            raise
        _write_error(errors, rank, line)
    return {"user_error": line}


def _write_error(errors: Path, rank: int, line: str) -> None:
    errors.mkdir(exist_ok=True)
    pending = errors / f".rank-{rank}"
    pending.write_text(json.dumps(line))
    pending.replace(errors / f"rank-{rank:05d}.json")


def _all_know(errors: Path, world_size: int, seconds: float) -> bool:
    """Whether every worker has written the error down, waiting for that long."""
    deadline = time.monotonic() + seconds
    while len(list(errors.glob("rank-*.json"))) < world_size:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def first_error(errors: Path) -> str | None:
    """The error that the lowest-numbered worker wrote, if any did."""
    for path in sorted(errors.glob("rank-*.json")):
        return json.loads(path.read_text())
    return None


def _context(settings: dict[str, Any]) -> TrainingContext:
    run_folder = Path(settings["run_folder"])
    leads = distributed.rank() == 0
    return TrainingContext(
        run_folder=run_folder,
        device=ray.train.torch.get_device(),
        tracking=Tracking(settings["tracking_uri"], settings["mlflow_run"], run_folder) if leads else NoTracking(),
        report=ray.train.report,
    )
