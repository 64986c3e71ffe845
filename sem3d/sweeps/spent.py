"""Time of the parts of a sweep, over all attempts: written while they run, so that a kill loses seconds at most."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sem3d.errors import UserError
from sem3d.files import record_paths, stored_json, write_json

SPENT_FOLDER = "spent"
SECONDS_BETWEEN_WRITES = 2.0


@contextmanager
def clocked(folder: Path, part: str, cpus: float = 0.0, gpus: float = 0.0) -> Iterator[None]:
    """Add the time inside to what ``part`` of the sweep in ``folder`` has taken before, holding so many CPUs and GPUs."""
    path = folder / SPENT_FOLDER / f"{part}.json"
    before, start, done = _read(path), time.monotonic(), threading.Event()

    def write() -> None:
        seconds = time.monotonic() - start
        held = {"seconds": seconds, "cpu_hours": seconds * cpus / 3600, "gpu_hours": seconds * gpus / 3600}
        write_json(path, {name: before.get(name, 0.0) + value for name, value in held.items()})

    def write_now_and_then() -> None:
        while not done.wait(SECONDS_BETWEEN_WRITES):
            with suppress(UserError):  # said where the sweep itself cannot write
                write()

    writer = threading.Thread(target=write_now_and_then, name="spent", daemon=True)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()
        write()


def spent_on(folder: Path, part: str) -> float:
    """Return the seconds that ``part`` has taken in all attempts."""
    return _read(folder / SPENT_FOLDER / f"{part}.json").get("seconds", 0.0)


def spent_in_all(folder: Path, whole: str) -> dict[str, float]:
    """Return ``seconds`` of the part named ``whole``, which contains the others, and ``cpu_hours`` and ``gpu_hours`` of all."""
    parts = [_read(path) for path in record_paths(folder / SPENT_FOLDER)]
    hours = {name: sum(part.get(name, 0.0) for part in parts) for name in ("cpu_hours", "gpu_hours")}
    return {"seconds": spent_on(folder, whole), **hours}


def _read(path: Path) -> dict[str, float]:
    stored = stored_json(path) or {}
    return {
        name: float(value) for name, value in stored.items() if isinstance(value, int | float) and math.isfinite(value)
    }
