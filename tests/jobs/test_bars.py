"""Bars on a pseudo-terminal, as a person sees them."""

import fcntl
import os
import re
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobs.bars import progress_shown
from sem3d.runs.progress import progress_line

WIDTH = 90


def step(number: int) -> str:
    return progress_line(
        number, 200, {"view": 3.0}, {"samples_per_second": 3.2, "stall": 0.1, "seconds_left": 40.0}, 0.1
    )


@contextmanager
def terminal(monkeypatch) -> Iterator[list[str]]:
    """A terminal in the place of standard output; afterwards, the list holds the lines of its screen."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    received: list[bytes] = []

    def receive() -> None:
        while not (received and received[-1].endswith(b"\x04")):
            received.append(os.read(master, 4096))

    reader = threading.Thread(target=receive)
    reader.start()
    screen: list[str] = []
    with os.fdopen(slave, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        try:
            yield screen
        finally:
            stream.write("\x04")
            stream.flush()
            reader.join()
    os.close(master)
    screen[:] = lines_on_screen(b"".join(received).decode().rstrip("\x04"))


def lines_on_screen(text: str) -> list[str]:
    """What stands on the screen after a text in which the cursor goes back and up."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[A|[\r\n]|[^\r\n\x1b]+", text):
        if part == "\r":
            column = 0
        elif part in ("\n", "\x1b[A"):
            row += 1 if part == "\n" else -1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def test_on_a_terminal_a_training_is_one_line_below_what_is_said_of_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    lines = ("network: 9 parameters", step(10), step(20), "checkpoint step-20", step(50))
    with terminal(monkeypatch) as screen:
        shown = progress_shown("auto")
        listener = shown.__enter__()
        for line in lines:
            listener.say(line)
    assert screen[:2] == ["network: 9 parameters", "checkpoint step-20"]
    assert re.fullmatch(r"step 50/200 \|.*\| loss 3  3.2 samples/s  left 40 s", screen[2])
    listener.show({})
    with terminal(monkeypatch) as screen:
        with progress_shown("auto") as listener:
            for line in lines:
                listener.say(line)
        print("result")
    assert screen == ["network: 9 parameters", "checkpoint step-20", "result"]


def test_each_training_of_a_sweep_has_a_line_with_its_step_until_it_ends(monkeypatch):
    with terminal(monkeypatch) as screen:
        shown = progress_shown("bar")
        listener = shown.__enter__()
        listener.show({"scratch, seed 0": "index of {9} scenes", "pri3d, seed 0": step(10)})
        listener.say("start  scratch, seed 0")
        listener.show({"scratch, seed 0": "index of {9} scenes", "pri3d, seed 0": step(100)})
    assert screen[:2] == ["start  scratch, seed 0", "scratch, seed 0 index of {9} scenes"]
    assert re.fullmatch(r"pri3d, seed 0 100/200 \|.*\| loss 3  3.2 samples/s  left 40 s", screen[2])
    assert len(screen) == 3
    assert len(screen[2]) <= WIDTH
    listener.show({})


@pytest.mark.parametrize(("shown", "kind"), [("lines", "xterm"), ("auto", "dumb")])
def test_lines_come_where_they_are_asked_for_or_the_terminal_has_no_other(shown, kind, monkeypatch):
    monkeypatch.setenv("TERM", kind)
    with terminal(monkeypatch) as screen, progress_shown(shown) as listener:
        for line in (step(10), step(20)):
            listener.say(line)
        for _ in range(2):
            listener.show({"scratch, seed 0": step(30)})
    assert screen == [step(10), step(20), f"       scratch, seed 0: {' '.join(step(30).split())}"]
