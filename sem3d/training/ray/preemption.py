"""Checkpoints ahead of an interruption that is announced: a node will be taken away, or the group of workers resized.

Both mean that all workers begin again from the newest checkpoint. Ray tells the workers of a node that it will be drained
(a spot machine gets two minutes on AWS, half a minute on Google Cloud); a resize is announced by the Train controller
(:mod:`sem3d.training.ray.elastic`), which shares only the run folder with process 0 and so writes into a file there.
"""

import time
from collections.abc import Callable
from pathlib import Path

from sem3d.runs.requests import CHECKPOINT

LAST_SECONDS = 15.0
"""So long before a node goes, a second checkpoint is written: training has gone on since the first."""


class CheckpointRequests:
    """Process 0's view of what is announced; true when a checkpoint should be written now.

    ``reclaimed`` says when a node will be taken away in seconds since 1970 (infinity: at an unknown time, ``None``: no
    node). That is met by one checkpoint at once and one shortly before the time. All waiting goes by ``clock``, which nobody
    sets: ``today``, which somebody may, is asked once for each time that is announced.
    """

    def __init__(
        self,
        run_folder: Path,
        reclaimed: Callable[[], float | None],
        interval: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ):
        self.run_folder = run_folder
        self.reclaimed = reclaimed
        self.interval = interval
        self.clock, self.today = clock, today
        self.next_look = clock()
        self.asked = False
        self.due: dict[float, float] = {}
        self.met: set[tuple[float, bool]] = set()

    def __call__(self) -> bool:
        """Return whether a checkpoint is wanted; looks at the file at most once in ``interval`` seconds."""
        if self.clock() >= self.next_look:
            self.next_look = self.clock() + self.interval
            self.asked = CHECKPOINT.is_made(self.run_folder)
        return self.asked or self._reclaim() not in {None, *self.met}

    def meet(self) -> None:
        """Note that the checkpoint is written."""
        reclaim = self._reclaim()
        if reclaim is not None:
            self.met.add(reclaim)
        if self.asked:
            self.asked = False
            CHECKPOINT.clear(self.run_folder)

    def _reclaim(self) -> tuple[float, bool] | None:
        """Return the time at which a node goes, and whether that is very soon."""
        moment = self.reclaimed()
        if moment is None:
            return None
        if moment not in self.due:
            self.due[moment] = self.clock() + moment - self.today()
        return moment, self.due[moment] - self.clock() < LAST_SECONDS
