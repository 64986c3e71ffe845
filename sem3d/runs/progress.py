"""Progress as plain lines: written to the run folder by process 0, printed once by the driver.

Ray prefixes and repeats what workers print, and hides it where logs are not sent to the driver. So process 0 appends to
``progress.log`` in the run folder and the driver prints the lines as they come, which also puts them into ``ray job logs``.
"""

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

from sem3d.errors import BadSample
from sem3d.texts import read_regular

LOG_NAME = "progress.log"
STEP_LINE = re.compile(
    r"step (?P<step>\d+)/(?P<steps>\d+)  loss (?P<loss>\S+)(?:.*  (?P<speed>\S+ samples/s).*  left (?P<left>\S+ \S+))?"
)
"""The beginning of :func:`progress_line`, with what a bar says of it."""
LARGEST_LOG = 1 << 26
LONGEST_LINE = 4096
"""Bytes at the end of a log that are looked through for its last line."""
MOST_NEWS = 110
"""Letters of a training's newest line that are repeated elsewhere."""
News = TypeVar("News")


def duration(seconds: float) -> str:
    """Return a length of time for people: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class ProgressHandler(logging.Handler):
    """A handler that passes on sem3d's log, such as the choice of a sparse backend or the progress of preparation."""

    def __init__(self, say: Callable[[str], None]):
        super().__init__(logging.INFO)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say the record's message."""
        self.say(record.getMessage())


class Progress:
    """Clock of the training loop: how fast, how long waiting for data, how much is left."""

    def __init__(self, first_step: int, last_step: int, clock: Callable[[], float] = time.monotonic):
        self.last_step = last_step
        self.clock = clock
        self.since = clock()
        self.since_step = first_step
        self.waited = 0.0
        self.paused = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting for data."""
        start = self.clock()
        yield
        self.waited += self.clock() - start

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave the time inside (evaluation, checkpoints) out of the training speed."""
        start = self.clock()
        yield
        self.paused += self.clock() - start

    def lap(self, step: int, batch_size: int) -> dict[str, float]:
        """Return speed since the last lap, and starts the next: ``samples_per_second``, ``stall`` in [0, 1],
        ``seconds_left``.
        """
        elapsed = max(self.clock() - self.since - self.paused, 1e-9)
        steps = max(step - self.since_step, 1)
        speed = {
            "samples_per_second": steps * batch_size / elapsed,
            "stall": min(self.waited / elapsed, 1.0),
            "seconds_left": (self.last_step - step) * elapsed / steps,
        }
        self.since, self.since_step, self.waited, self.paused = self.clock(), step, 0.0, 0.0
        return speed


def progress_line(
    step: int,
    last_step: int,
    losses: dict[str, float],
    speed: dict[str, float],
    rate: float,
    skipped: int = 0,
    quarantined: int = 0,
) -> str:
    """Return one line about the last steps; skipped steps and unusable samples are named only where there are any."""
    parts = " ".join(f"{name} {value:.4g}" for name, value in losses.items())
    line = (
        f"step {step}/{last_step}  loss {sum(losses.values()):.4g}{f' ({parts})' if len(losses) > 1 else ''}"
        f"  {speed['samples_per_second']:.1f} samples/s  stall {100 * speed['stall']:.0f} %"
        f"  lr {rate:.3g}  left {duration(speed['seconds_left'])}"
    )
    line += f"  skipped {skipped}" if skipped else ""
    return line + (f"  quarantined {quarantined}" if quarantined else "")


def logged_losses(run_folder: Path) -> dict[int, float]:
    """Return the loss by step that :func:`progress_line` said; of a step that was made again after a crash, the last one.

    Steps without a finite loss, and runs whose log is absent or cannot be read, have none.
    """
    try:
        text = read_regular(run_folder / LOG_NAME, LARGEST_LOG).decode("utf-8", "replace")
    except BadSample:
        return {}
    found: dict[int, float] = {}
    for line in text.splitlines():
        if said := STEP_LINE.match(line):
            with suppress(ValueError):
                found[int(said["step"])] = float(said["loss"])
    return {step: loss for step, loss in sorted(found.items()) if math.isfinite(loss)}


def log_line(run_folder: Path, line: str) -> None:
    """Add a line to the run's progress log."""
    with (run_folder / LOG_NAME).open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(line.replace("\n", " ") + "\n")


def records_logged(run_folder: Path) -> AbstractContextManager[None]:
    """Put what sem3d logs meanwhile among the run's progress lines; a process may outlive the run, and even its folder."""
    return records_said(partial(log_line, run_folder))


@contextmanager
def records_said(say: Callable[[str], None]) -> Iterator[None]:
    """Say what sem3d logs meanwhile, here and nowhere else."""
    logger = logging.getLogger("sem3d")
    handlers, level = logger.handlers, logger.level
    logger.handlers = [ProgressHandler(say)]
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers = handlers
        logger.setLevel(level)


@contextmanager
def heard_now_and_then(news: Callable[[], News], hear: Callable[[News], None], seconds: float = 10.0) -> Iterator[None]:
    """Have the news heard every so many seconds meanwhile."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(seconds):
            hear(news())

    listener = threading.Thread(target=look, name="news", daemon=True)
    listener.start()
    try:
        yield
    finally:
        done.set()
        listener.join()


def said_once(say: Callable[[str], None]) -> Callable[[Sequence[str]], None]:
    """Return a listener that says lines, but none that it heard the time before."""
    before: list[str] = []

    def hear(lines: Sequence[str]) -> None:
        for line in lines:
            if line not in before:
                say(line)
        before[:] = lines

    return hear


@dataclass(frozen=True)
class Listener:
    """A taker of lines that stay, and every so many seconds of the newest line of each training under way, by its name."""

    say: Callable[[str], None]
    show: Callable[[Mapping[str, str]], None]
    seconds: float = 10.0


def lines_now_and_then(say: Callable[[str], None]) -> Listener:
    """Return a listener for logs: it says the newest line of each training, unless it was that already the time before."""
    hear = said_once(say)
    return Listener(
        say, lambda newest: hear([f"       {name}: {shorten(said, MOST_NEWS)}" for name, said in newest.items()])
    )


def last_line(path: Path) -> str:
    """Return the last whole line of a log that is being written; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LONGEST_LINE))
            *lines, _ = file.read().decode("utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return lines[-1] if lines else ""


@contextmanager
def lines_printed(run_folder: Path, say: Callable[[str], None], interval: float = 0.2) -> Iterator[None]:
    """Pass on every line that is added to the run's progress log meanwhile."""
    path = run_folder / LOG_NAME
    path.touch()
    done = threading.Event()

    def follow() -> None:
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(start)
            unfinished = ""
            while True:
                last_look = done.is_set()
                *lines, unfinished = (unfinished + file.read()).split("\n")
                for line in lines:
                    say(line)
                if last_look:
                    return
                done.wait(interval)

    start = path.stat().st_size
    follower = threading.Thread(target=follow, name="progress", daemon=True)
    follower.start()
    try:
        yield
    finally:
        done.set()
        follower.join()
