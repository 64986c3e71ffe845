"""A writer of metrics and values to a run in MLflow, in a process of its own, for tests that kill it or its server.

``writer.py URI RUN FOLDER FIRST LAST END`` says each step that it has written and then waits for a line. At the end it writes
what is left, and is killed where END is ``kill``. Where END is ``flush`` it also writes what is left every ten steps.
"""

import os
import signal
import sys
from pathlib import Path

from sem3d.tracking import run


def write(writer: run.MlflowTracker, first: int, last: int, end: str) -> None:
    """Write the steps from ``first`` to before ``last``."""
    for step in range(first, last):
        writer.metrics({"train/loss": 1.0 / step, "train/lr": float(step)}, step)
        if step % 10 == 0:
            writer.value(f"values/{step}", {"step": step})
        if end == "flush" and step % 10 == 0:
            writer.flush()
        print(step, flush=True)
        sys.stdin.readline()
    writer.flush()
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run.SECONDS_BETWEEN_WRITES = run.SECONDS_BETWEEN_TRIES = 0.2
    uri, run_id, folder, first, last, end = sys.argv[1:]
    write(run.MlflowTracker(uri, run_id, Path(folder)), int(first), int(last), end)
