"""One line of a health report, and several checks at once without ever waiting for one that hangs."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

SECONDS_FOR_ALL = 17.0
ANSWER_SECONDS = 5.0
"""Longest wait for one server or database."""
BUSY = "check again when the machine is less busy"
Level = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    part: str
    """The part that was checked, in a word or two."""
    level: Level
    found: str
    fix: str = ""
    """The command or setting that fixes it; empty where nothing is wrong."""


Check = Callable[[], list[Finding]]


def look(checks: dict[str, Check], seconds: float = SECONDS_FOR_ALL) -> Iterator[Finding]:
    """Yield the findings of all checks, in their order, each as soon as it and those before it are there.

    The checks run side by side in threads that nobody waits for past ``seconds``: one that hangs becomes a warning, one that
    raises becomes a failure.
    """
    deadline = time.monotonic() + seconds
    answers: dict[str, queue.SimpleQueue[list[Finding]]] = {name: queue.SimpleQueue() for name in checks}
    for name, check in checks.items():
        threading.Thread(target=_answer, args=(name, check, answers[name]), name=name, daemon=True).start()
    for name, answer in answers.items():
        try:
            yield from answer.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            yield Finding(name, "warn", f"no answer within {seconds:.0f} s", BUSY)


def _answer(name: str, check: Check, answer: "queue.SimpleQueue[list[Finding]]") -> None:
    try:
        answer.put(check())
    except Exception as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        answer.put([Finding(name, "FAIL", f"could not be checked: {type(error).__name__}: {line}")])
