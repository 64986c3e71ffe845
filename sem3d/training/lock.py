"""What only one process at a time may do on a storage folder: a run, a sweep, or a pretraining that several sweeps need."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sem3d.errors import UserError


@contextmanager
def held_alone(storage: str | Path, name: str, wait: bool = True) -> Iterator[None]:
    """Keeps others on the same storage from what ``name`` names meanwhile; a kill lets go of it.

    Raises :class:`UserError` if another holds it and ``wait`` is off.
    """
    path = Path(storage) / ".locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UserError(
                f"{name} is being run by another process: wait for it, or give this one another name"
            ) from error
        yield
