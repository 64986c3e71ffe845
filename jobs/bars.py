"""Progress of trainings on a terminal: a line for each, rewritten in place, below the lines that stay."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from typing import Any, Literal, get_args

from tqdm import tqdm

from sem3d.runs.progress import MOST_NEWS, STEP_LINE, Listener, lines_now_and_then

Shown = Literal["auto", "bar", "lines"]
SHOWN = get_args(Shown)
SECONDS_BETWEEN_LOOKS = 1.0
BEFORE_STEPS, WITH_STEPS = "{desc}", "{desc} {n_fmt}/{total_fmt} |{bar}|"
OF_ONE_TRAINING = "step"


class Bars:
    """The bars of trainings under way, by name."""

    def __init__(self, stream: Any):
        self.stream = stream
        self.shown: dict[str, tqdm] = {}
        tqdm.set_lock(threading.RLock())  # its own is one between processes, which starts another
        tqdm.monitor_interval = 0

    def say(self, line: str) -> None:
        """Print a line above the bars; one on a step of the only training becomes its bar."""
        if STEP_LINE.match(line):
            self.show({OF_ONE_TRAINING: line})
        else:
            tqdm.write(line, file=self.stream)
            self.stream.flush()

    def show(self, newest: Mapping[str, str]) -> None:
        """Show the newest line of each training, and no bar of others."""
        for gone in self.shown.keys() - newest.keys():
            self.shown.pop(gone).close()
        for name, line in newest.items():
            if name not in self.shown:
                self.shown[name] = tqdm(
                    desc=name, file=self.stream, dynamic_ncols=True, leave=False, bar_format=BEFORE_STEPS
                )
            self._rewrite(self.shown[name], line)

    def _rewrite(self, bar: tqdm, line: str) -> None:
        said, words = STEP_LINE.match(line), shorten(line, MOST_NEWS)
        if said and said["left"]:
            bar.n, bar.total = int(said["step"]), int(said["steps"])
            words = f"loss {said['loss']}  {said['speed']}  left {said['left']}"
        begun = WITH_STEPS if bar.total else BEFORE_STEPS
        bar.bar_format = f"{begun} {words.replace('{', '{{').replace('}', '}}')}"
        bar.refresh()


@contextmanager
def progress_shown(shown: str) -> Iterator[Listener]:
    """Give who prints lines, and newest lines of trainings: as bars on a terminal, or where they are asked for, else as lines."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if shown == "lines" or (shown == "auto" and not terminal):
        yield lines_now_and_then(partial(print, flush=True))
        return
    bars = Bars(sys.stdout)
    try:
        yield Listener(bars.say, bars.show, SECONDS_BETWEEN_LOOKS)
    finally:
        bars.show({})
