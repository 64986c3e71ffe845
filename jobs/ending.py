"""Signals of a program from its first line to its last: one line and code 130, and never long in coming.

:mod:`jobs` calls :func:`watch` where one of its modules is run, before anything that takes long to import. A first signal then
unwinds what the program does, a second ends it at once. What cannot be interrupted, such as a library that waits for a network
without looking at signals, is ended by a thread that hears of them all the same. Trainings take signals for themselves meanwhile
(:func:`sem3d.training.ray.interruption.stop_on_signals`).
"""

import atexit
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sem3d.runs.ray_job import seconds_to_stop

STOPPED = 130
SECONDS_TO_EXIT = 8.0
"""Longest time that libraries get for their own ends once the program's work is done."""
SECONDS_BETWEEN_LOOKS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Ending:
    """The way of a watched program to its end, and how far on it that is."""

    code: int = STOPPED
    begun: bool = False
    """Whether the work has begun, and so has something to unwind."""
    over: bool = False
    """Whether the work is done or given up, and libraries end what they have begun."""
    heard: int = 0
    """Signals so far."""
    deadline: float = float("inf")
    process: int = field(default_factory=os.getpid)

    def handle(self, number: int, _: Any) -> None:
        """Unwind the work at the first signal; end at once at the second, and where there is nothing to unwind."""
        self.heard += 1
        if self.over:
            leave("", self.code)
        if not self.begun or self.heard > 1:
            leave(f"stopped by {signal.Signals(number).name}", STOPPED)
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    def listen(self, ear: socket.socket) -> None:
        """End the program where a signal has been heard and its time is up; runs in a thread of its own."""
        told = 0
        while True:
            ear.settimeout(min(max(self.deadline - time.monotonic(), 0.01), SECONDS_BETWEEN_LOOKS))
            with suppress(TimeoutError):
                for number in ear.recv(16):
                    told += number in SIGNALS
                    if number == signal.SIGTERM or told > 1:
                        self.deadline = min(self.deadline, time.monotonic() + seconds_to_stop() - 1.0)
            if time.monotonic() >= self.deadline:
                leave("" if self.over else "stopped: what it waited for does not end", self.code)

    def leave_at_last(self) -> None:
        """End the process once libraries have ended what they began: threads of Ray Data may hang what Python does after that."""
        if self.over and os.getpid() == self.process:
            leave("", self.code)


_watched: list[Ending] = []


def watch() -> None:
    """Take signals, in the main thread, from now on."""
    ending = Ending()
    _watched.append(ending)
    atexit.register(ending.leave_at_last)  # the first to be registered, the last to be called
    open_standard_streams()
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    for number in SIGNALS:
        signal.signal(number, ending.handle)
    signal.set_wakeup_fd(mouth.detach(), warn_on_full_buffer=False)
    threading.Thread(target=ending.listen, args=(ear,), name="signals", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the program may have started once more, see explanation


def begin() -> None:
    """Note that the work begins."""
    for ending in _watched:
        ending.begun = True


def finish(code: int) -> NoReturn:
    """End the program with ``code``; where it is watched, before long, whatever libraries wait for at their end."""
    for ending in _watched:
        ending.code, ending.over = code, True
        ending.deadline = min(ending.deadline, time.monotonic() + SECONDS_TO_EXIT)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(2 * SECONDS_TO_EXIT))  # for what hangs after the last thread of Python
    sys.exit(code)


def leave(line: str, code: int) -> NoReturn:
    """End the process here and now, with a line on standard error if there is one; what is printed already comes before it."""
    flushing = threading.Thread(target=_flush, daemon=True)  # a reader that has stopped reading would make it wait
    flushing.start()
    flushing.join(0.5)
    if line:
        with suppress(OSError):
            os.write(2, f"{line}\n".encode())
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def open_standard_streams() -> None:
    """Open what is closed of standard input, output and error, lest a file of a run gets one of their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
