"""Ending a run in good order: a signal to the driver becomes a checkpoint on process 0.

``ray job stop`` sends SIGTERM to the driver, waits ``RAY_JOB_STOP_WAIT_TIME_S`` (3 by default) and kills it, and Ray then
kills the workers; containers get SIGKILL 10 s after SIGTERM. The driver and process 0 share only the run folder, so the driver
writes into a file there and process 0 looks at it between steps.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sem3d.runs.ray_job import seconds_to_stop
from sem3d.runs.requests import STOP

Result = TypeVar("Result")
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_AFTER_A_RUN = 3.5
"""Time to close the run in MLflow and to leave Ray."""


class Stopped(Exception):
    """The run ended early because it was asked to; the same command goes on from ``checkpoint``, if it had come to any."""

    def __init__(self, step: int = 0, checkpoint: Path | None = None):
        where = f"at step {step}, the same command resumes there: {checkpoint}"
        super().__init__(f"stopped {where if checkpoint else 'before a first step: the same command begins there'}")
        self.step = step
        self.checkpoint = checkpoint


class StopRequests:
    """Process 0's view of the requests: looks at the file at most once in ``interval`` seconds."""

    def __init__(self, run_folder: Path, interval: float = 0.5, clock: Callable[[], float] = time.monotonic):
        self.run_folder = run_folder
        self.interval = interval
        self.clock = clock
        self.next_look = clock()
        self.found = False

    def __call__(self) -> bool:
        """Return whether a stop was requested, at the last look."""
        if not self.found and self.clock() >= self.next_look:
            self.next_look = self.clock() + self.interval
            self.found = STOP.is_made(self.run_folder)
        return self.found


class Patience:
    """The time that a run gets to end in good order: without end, until somebody asks who will not wait as long."""

    def __init__(self) -> None:
        self.heard = 0
        self.until = math.inf

    def hear(self, number: int) -> None:
        """Take a signal: SIGTERM comes from who waits for some seconds, a second signal from who waits no longer."""
        self.heard += 1
        if self.heard > 1:
            self.until = -math.inf
        elif number == signal.SIGTERM:
            self.until = time.monotonic() + seconds_to_stop() - SECONDS_AFTER_A_RUN

    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() > self.until


@contextmanager
def stop_on_signals(run_folder: Path, say: Callable[[str], None]) -> Iterator[Patience]:
    """Turn the first SIGTERM or SIGINT meanwhile into a request to stop, and give the patience that :func:`in_a_thread` wants.

    Python handles signals in its main thread only: in another, as in a Tune trial, signals are left alone and ``STOP.make`` is
    the way. Ray sets handlers of its own when it connects and when ``TorchTrainer.fit`` begins in the main thread: enter after
    the one and see :func:`in_a_thread` for the other.
    """
    STOP.clear(run_folder)
    patience = Patience()
    if threading.current_thread() is not threading.main_thread():
        yield patience
        return

    def handle(number: int, _: object) -> None:
        patience.hear(number)
        if patience.heard == 1:
            STOP.make(run_folder)
            with suppress(RuntimeError):  # the signal came in the middle of a line
                say(f"{signal.Signals(number).name}: ending with a checkpoint; again to end at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield patience
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def stop_passed_on(asked: Path, run: Path) -> Iterator[None]:
    """Ask the run in the folder ``run`` to stop once ``asked`` is: the folder of a sweep, or of a curriculum's last run."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            if STOP.is_made(asked) and run.is_dir():
                STOP.make(run)

    looker = threading.Thread(target=look, name="stop", daemon=True)
    looker.start()
    try:
        yield
    finally:
        done.set()
        looker.join()


def in_a_thread(call: Callable[[], Result], patience: Patience) -> Result:
    """Return what ``call`` returns or raises, called in a thread while the main thread stays free for signals.

    ``TorchTrainer.fit`` called in the main thread would take SIGINT for itself and end the run without a checkpoint. Raises
    :class:`KeyboardInterrupt` once there is no patience left, and leaves the thread alone.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="training", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
        if patience.is_over() and thread.is_alive():
            raise KeyboardInterrupt(
                "stopped in the middle of a step: the same command resumes from the newest checkpoint"
            )
    if failure:
        raise failure[0]
    return outcome[0]
