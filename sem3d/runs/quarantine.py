"""Unusable samples by name: appended to the run folder, counted over all workers, and too many of them stop the run."""

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

from sem3d.errors import UserError

logger = logging.getLogger(__name__)

FEWEST_SEEN = 20
"""Samples that must have been seen before their unusable share says anything."""


class Quarantine:
    """This worker's list of unusable samples."""

    def __init__(self, run_folder: Path, rank: int, limit: float):
        self.run_folder = run_folder
        self.path = run_folder / f"quarantine-rank{rank}.jsonl"
        self.limit = limit

    def add(self, phase: str, step: int, failures: list[dict[str, str]]) -> None:
        """Append one line a failure; ``phase`` is training, evaluation or labelling."""
        if failures:
            with self.path.open("ab+") as file:
                if file.tell() and not self._ends_whole(file):
                    file.write(b"\n")
                for failure in failures:
                    file.write(json.dumps({"phase": phase, "step": step, **failure}).encode() + b"\n")

    @staticmethod
    def _ends_whole(file: BinaryIO) -> bool:
        """Return whether the last line has its end: a full disk or a kill may have cut it."""
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

    def check(self, phase: str, unusable: int, seen: int) -> None:
        """Raise :class:`UserError` if too many of the samples seen by all workers were unusable."""
        if seen >= FEWEST_SEEN and unusable > self.limit * seen:
            raise UserError(
                f"{unusable} of {seen} {phase} samples are unusable, more than run.quarantine_limit {self.limit:g}: "
                f"see quarantine-rank*.jsonl in {self.run_folder}, fix the data or raise the limit"
            )


def quarantine_report(run_folder: Path) -> dict[str, Any]:
    """Return what all workers and attempts put aside, each (phase, step, sample) once, with counts by reason.

    Lines that a kill or a full disk has cut are left out, and their number is said in sem3d's log.
    """
    lines = {
        line: None
        for path in sorted(run_folder.glob("quarantine-rank*.jsonl"))
        for line in path.read_bytes().splitlines()
        if line
    }
    found = [_entry(line) for line in lines]
    entries = [entry for entry in found if entry is not None]
    if damaged := len(found) - len(entries):
        logger.warning("%d damaged lines of quarantine-rank*.jsonl in %s are left out", damaged, run_folder)
    reasons = Counter(entry.get("reason", "unknown") for entry in entries)
    return {"count": len(entries), "reasons": dict(reasons.most_common(50)), "samples": entries[:10_000]}


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
