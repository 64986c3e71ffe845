"""Programs of tests in processes that are forked from the warm one of :mod:`tests.warm_workers`, not started anew.

An interpreter that imports torch, MLflow and Ray takes 6 s of CPU before its program begins, a fork 1.5 s. Signals, exit codes
and streams are those of any process.
"""

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Self

from tests.warm_workers import ask_warm

ROOT = Path(__file__).parents[1]


class WarmProcess:
    """``python -m MODULE ARGUMENTS`` in a folder, that of the project if none is named: what tests need of ``subprocess.Popen``.

    It prints to ``output``, else to standard error, and has nothing to read. If ``piped``, its standard input and output are
    ``stdin`` and ``stdout`` of this object instead, line by line.
    """

    stdin: IO[str]
    stdout: IO[str]

    def __init__(
        self,
        module: str,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
        output: IO | int = 2,
        piped: bool = False,
    ):
        self.module = module
        self.returncode: int | None = None
        told = {
            "watched": True,
            "module": module,
            "arguments": [module, *map(str, arguments)],
            "folder": str(folder),
            "environment": dict(os.environ if environment is None else environment),
        }
        with ExitStack() as passed:
            streams: list[IO | int] = [passed.enter_context(open(os.devnull)), output, output]
            if piped:
                (read, write), (come, go) = os.pipe(), os.pipe()
                self.stdin, self.stdout = os.fdopen(write, "w", buffering=1), os.fdopen(come)
                streams[:2] = [passed.enter_context(os.fdopen(read)), passed.enter_context(os.fdopen(go, "w"))]
            numbers = [stream if isinstance(stream, int) else stream.fileno() for stream in streams]
            self.watcher = ask_warm(told, numbers)
        self.pid = self._heard()

    def __enter__(self) -> Self:
        """Return the process, which is piped."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its pipes and wait for its end."""
        self.stdin.close()
        self.stdout.close()
        self.wait()

    def _heard(self) -> int:
        word = self.watcher.recv(16)
        assert word, f"nobody watches {self.module}"
        return int(word)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal, once the process has ended; raise ``TimeoutExpired`` before that."""
        if self.returncode is None:
            if not select.select([self.watcher], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.module, timeout or 0.0)
            self.returncode = self._heard()
            self.watcher.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, or ``None`` while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.send_signal(signal.SIGKILL)
        self.wait()
