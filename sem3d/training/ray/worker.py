"""The function that Ray Train runs on every worker: training, and the way home of the user's errors."""

import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch

from sem3d.errors import UserError
from sem3d.files import read_json, record_paths, write_json, writes_in
from sem3d.ray_internals.train import reclaim_time
from sem3d.runs.progress import records_logged
from sem3d.tracking.null_tracker import NullTracker
from sem3d.tracking.run import MlflowTracker
from sem3d.training import distributed
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.ray.shared_sources import from_store


def stored(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a run as :func:`worker_loop` takes them, in Ray's object store: Ray Train's controller, which is
    given them too, would import the method to hold them, which takes seconds.
    """
    return {"settings": ray.put(settings)}


def worker_loop(config: dict[str, Any]) -> dict[str, Any]:
    """Train on this worker by :func:`stored` settings; returns the result, or ``{"user_error": line}``.

    A :class:`UserError` is not worth another attempt, so each worker that meets one writes it to the run folder. If all
    did, all return it. If only some did, the others wait for them in a collective: then these raise, Ray ends the group,
    and the next attempt returns the error that it finds.
    """
    settings: dict[str, Any] = ray.get(config["settings"])
    errors = Path(settings["run_folder"]) / f".errors-{settings['launch']}"
    line = first_error(errors)
    if line:
        return {"user_error": line}
    torch.set_num_threads(max(1, int(settings["experiment"].run.cpus_per_worker)))
    try:
        with writes_in(Path(settings["run_folder"])), _told(settings):
            context = _context(settings)
            _say_where(context)
            sources = from_store(settings["sources"])
            return fit(settings["method_class"], settings["experiment"], context, sources)
    except UserError as error:
        with suppress(UserError):  # on a full disk nothing can be written down: the driver finds what this raises
            write_json(errors / f"rank-{distributed.rank():05d}.json", str(error))
        if distributed.world_size() > 1 and not _all_know(errors, seconds=2.0):
            raise
        return {"user_error": first_error(errors) or str(error)}


def _all_know(errors: Path, seconds: float) -> bool:
    """Return whether every worker has written the error down, waiting for that long."""
    deadline = time.monotonic() + seconds
    while len(record_paths(errors)) < distributed.world_size():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def first_error(errors: Path) -> str | None:
    """Return the error that the lowest-numbered worker wrote, if any did."""
    for path in record_paths(errors):
        return str(read_json(path))
    return None


def _say_where(context: TrainingContext) -> None:
    nodes = distributed.gather_json(ray.get_runtime_context().get_node_id())
    context.say(f"workers: {len(nodes)}, on {len(set(nodes))} node{'s' if len(set(nodes)) > 1 else ''}")


def _told(settings: dict[str, Any]) -> AbstractContextManager[None]:
    return records_logged(Path(settings["run_folder"])) if distributed.rank() == 0 else nullcontext()


def _context(settings: dict[str, Any]) -> TrainingContext:
    run_folder = Path(settings["run_folder"])
    leads = distributed.rank() == 0
    listened_to = {"report": ray.train.report, "reclaimed": reclaim_time} if settings["experiment"].run.workers else {}
    return TrainingContext(
        run_folder=run_folder,
        device=_device(settings["gpu"], settings["experiment"].run.workers),
        launched=settings["launched"],
        tracking=MlflowTracker(settings["tracking_uri"], settings["mlflow_run"], run_folder)
        if leads
        else NullTracker(),
        **listened_to,
    )


def _device(gpu: bool, workers: int) -> torch.device:
    """Return where this process trains; raises :class:`UserError` where its own process was to use a GPU that it does not
    have.

    Ray knows the device of a worker only: asked in a driver, which was given no GPU by Ray, it answers with the CPU.
    """
    if not gpu:
        return torch.device("cpu")
    if workers:
        return ray.train.torch.get_device()
    if not torch.cuda.is_available():
        raise UserError(
            "run.workers 0 trains in the command's own process, which sees no CUDA device though the Ray cluster has a GPU: "
            "choose run.workers 1 or run.device cpu"
        )
    return torch.device("cuda")
