"""The checkpoints of one run: which is newest and whole, which is best, which may go."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sem3d.config import NAMED_WEIGHTS
from sem3d.errors import UserError
from sem3d.files import stored_json, write_json
from sem3d.runs.checkpoint_files import TEMPORARY_PREFIX, WEIGHTS, problem

CHECKPOINTS = "checkpoints"
"""Folder of a run that holds them."""


class CheckpointStore:
    """Folder of ``step-00000100`` checkpoints with a ``best.json`` pointer; one process writes, any may read."""

    def __init__(self, folder: Path, keep: int = 2, warn: Callable[[str], None] = print):
        self.folder = folder
        self.keep = keep
        self.warn = warn

    def path(self, step: int) -> Path:
        """Return where the checkpoint after ``step`` done steps belongs."""
        return self.folder / f"step-{step:08d}"

    def clean(self) -> None:
        """Remove what attempts that were killed while writing left behind."""
        for leftover in self.folder.glob(f"{TEMPORARY_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def newest_first(self) -> list[Path]:
        """Return all committed checkpoints, whole or damaged."""
        return sorted(self.folder.glob("step-*"), reverse=True)

    def latest(self) -> Path | None:
        """Return the newest checkpoint whose files are all as they were written; says which ones it passes over."""
        for candidate in self.newest_first():
            wrong = problem(candidate)
            if wrong is None:
                return candidate
            self.warn(f"checkpoint {candidate} is damaged ({wrong}): falling back to the one before")
        return None

    def best(self) -> Path | None:
        """Return the checkpoint that ``best.json`` names, if it is whole."""
        candidate = self.named_best()
        return candidate if candidate is not None and problem(candidate) is None else None

    def named_best(self) -> Path | None:
        """Return the place that ``best.json`` names; ``None`` where that is absent or damaged."""
        pointer = stored_json(self.folder / "best.json", "checkpoint")
        return self.folder / Path(str(pointer["checkpoint"])).name if pointer else None

    def best_or_latest(self) -> Path | None:
        """Return what to start another training from."""
        return self.best() or self.latest()

    def mark_best(self, step: int, key: str, value: float) -> None:
        """Point ``best.json`` at the checkpoint of ``step``, in one rename."""
        write_json(self.folder / "best.json", {"checkpoint": self.path(step).name, "step": step, key: value})

    def prune(self) -> None:
        """Remove all but the newest ``keep`` checkpoints and the best one."""
        best = self.named_best()
        for old in self.newest_first()[max(self.keep, 1) :]:
            if old != best:
                shutil.rmtree(old, ignore_errors=True)


def latest(run_folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, or ``None``."""
    return CheckpointStore(run_folder / CHECKPOINTS).latest()


def weights_file(source: Path) -> Path:
    """Return the verified weights of a checkpoint folder, or of a run folder (its best checkpoint, else its newest).

    Raises :class:`UserError` if ``source`` is neither or if a file was altered.
    """
    folder = source if (source / WEIGHTS).is_file() else CheckpointStore(source / CHECKPOINTS).best_or_latest()
    if folder is None:
        raise UserError(
            f"no checkpoint of sem3d in {source}: name a run folder or one of its checkpoints/step-... folders"
        )
    wrong = problem(folder)
    if wrong:
        raise UserError(f"checkpoint {folder} is damaged: {wrong}; use another one")
    return folder / WEIGHTS


def weights_source(init: str) -> str:
    """Return what ``Method.initialise`` takes for ``init``: the weights file of a run or checkpoint folder, or ``init``
    itself.
    """
    folder = Path(init)
    return str(weights_file(folder)) if init not in NAMED_WEIGHTS and folder.is_dir() else init
