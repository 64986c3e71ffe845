"""One line when a training of a sweep starts and one when it ends, with how many are done and the time left."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sem3d.runs.progress import duration
from sem3d.sweeps.estimate import whole_time


class Watch:
    """Told by the driver what becomes of the trainings of one stage.

    ``label`` names one; ``seconds`` are what each of them was foreseen to take; ``closing`` finds or makes the record of one that
    has ended and says how it did, ``None`` if it is not done.
    """

    def __init__(
        self,
        label: Callable[[str, dict[str, Any]], str],
        seconds: Mapping[str, float],
        concurrent: int,
        closing: Callable[[str, dict[str, Any], dict[str, Any], str], str | None],
        say: Callable[[str], None],
        done: int = 0,
    ):
        self.label, self.seconds, self.concurrent = label, seconds, concurrent
        self.closing, self.say = closing, say
        self.done, self.total = done, done + len(seconds)
        self.left = dict.fromkeys(seconds, True)
        self.since: dict[str, float] = {}
        self.lock = threading.Lock()
        self.measured = self.foreseen = 0.0
        self.ended_now = 0

    def started(self, key: str, config: dict[str, Any]) -> None:
        """Say that the training has started."""
        self.since[key] = time.monotonic()
        self.say(f"start  {self.label(key, config)}")

    def ended(self, key: str, config: dict[str, Any], report: dict[str, Any], error: str) -> None:
        """Say how the training ended, unless the training was asked to stop and is not done."""
        words = self.closing(key, config, report, error)
        with self.lock:
            self.left.pop(key if key in self.left else next(iter(self.left), key), None)
            if words is None:
                self.say(f"pause  {self.label(key, config)}")
                return
            took = time.monotonic() - self.since.get(key, time.monotonic())
            self.measured, self.foreseen = self.measured + took, self.foreseen + self.seconds.get(key, 0.0)
            self.done, self.ended_now = self.done + 1, self.ended_now + 1
            self.say(f"{self.done}/{self.total}  {self.label(key, config)}: {words}, {duration(took)}{self._left()}")

    @property
    def running(self) -> list[str]:
        """Return the names of the trainings that are under way."""
        with self.lock:
            return [key for key in self.since if key in self.left]

    def _left(self) -> str:
        """Return the time left, by the forecast as far as it has proved right, else by the mean so far."""
        if not self.left:
            return ""
        if self.foreseen:
            rate = self.measured / self.foreseen
            shares = [rate * self.seconds.get(key, 0.0) for key in self.left]
        else:
            shares = [self.measured / max(self.ended_now, 1)] * len(self.left)
        return f", {duration(whole_time(shares, self.concurrent))} left"
