"""One line of a health report, and several checks at once without ever waiting for one that hangs."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sem3d.errors import UserError

SECONDS_A_CHECK = 150.0
"""Longest wait for one check, on a machine that does much else; on an idle one the longest takes 10 s."""
ANSWER_SECONDS = 5.0
"""Longest wait for one server or database."""
BUSY = "check again when the machine is less busy"
Level = Literal["ok", "warn", "FAIL", "late"]
"""``late``: not verified, because there was no answer in time."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    part: str
    """The part that was checked, in a word or two."""
    level: Level
    found: str
    fix: str = ""
    """The command or setting that fixes it; empty where nothing is wrong."""

    @property
    def line(self) -> str:
        """What was found and what fixes it, as the one line of an error."""
        return f"{self.found}: {self.fix}" if self.fix else self.found


def refuse(findings: Iterable[Finding]) -> None:
    """Raise :class:`UserError` for the first finding that FAILs: what the doctor would say, where a run would only fail later."""
    for finding in findings:
        if finding.level == "FAIL":
            raise UserError(finding.line)


Check = Callable[[], list[Finding]]


def look(checks: dict[str, Check], seconds: float = SECONDS_A_CHECK) -> Iterator[Finding]:
    """Yield the findings of all checks, in their order, each as soon as it and those before it are there.

    The checks run side by side in threads that nobody waits for past ``seconds``: one that hangs is ``late``, one that raises
    becomes a failure.
    """
    deadline = time.monotonic() + seconds
    answers: dict[str, queue.SimpleQueue[list[Finding]]] = {name: queue.SimpleQueue() for name in checks}
    for name, check in checks.items():
        threading.Thread(target=_answer, args=(name, check, answers[name]), name=name, daemon=True).start()
    for name, answer in answers.items():
        try:
            yield from answer.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            yield Finding(name, "late", f"no answer within {seconds:.0f} s", BUSY)


def _answer(name: str, check: Check, answer: "queue.SimpleQueue[list[Finding]]") -> None:
    try:
        answer.put(check())
    except Exception as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        answer.put([Finding(name, "FAIL", f"could not be checked: {type(error).__name__}: {line}")])
