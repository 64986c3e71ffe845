"""Files and folders that are whole or not there, and locks that a kill lets go of: the only place that knows of rename, fsync
and flock.

What is unfinished lies beside its final place under a name that begins with a dot, so that it is on the same file system and no
reader takes it for a result.
"""

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

from sem3d.errors import UserError


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading; raises :class:`OSError` for a pipe, a device or a folder, and does not wait for a writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: str | Path, most: int) -> bytes:
    """Return the content of a regular file; raises :class:`OSError` for one of more than ``most`` bytes too."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(f"{path} is larger than {most} bytes")
        return file.read()


def unfinished(path: Path) -> Path:
    """Return a name beside ``path``, of this call alone, for what is not whole yet."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to and put it at ``path`` by one rename once the block ends well; nothing is left otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = unfinished(path)
    try:
        yield pending
        sync(pending)
        os.replace(pending, path)
    finally:
        pending.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, pending: Path | None = None) -> Iterator[Path]:
    """Give an empty folder to fill and put it at ``path`` by one rename once the block ends well.

    A ``pending`` folder that the caller names is kept if the block fails, and found again with what it holds by the next call;
    otherwise nothing is left. Raises :class:`OSError` where ``path`` is a folder with something in it by then.
    """
    place = pending or unfinished(path)
    place.mkdir(parents=True, exist_ok=pending is not None)
    try:
        yield place
        os.replace(place, path)
        sync(path.parent)
    finally:
        if pending is None:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def replaced_folder(path: Path, is_there: Callable[[], bool]) -> Iterator[Path]:
    """Give an empty folder to fill and put it in the place of what is at ``path`` once the block ends well.

    ``is_there`` tells if another process has put the same at ``path`` meanwhile: that one stays.
    """
    try:
        with whole_folder(path) as place:
            yield place
            if not is_there():
                replaced = unfinished(path)
                with suppress(FileNotFoundError):
                    os.replace(path, replaced)
                shutil.rmtree(replaced, ignore_errors=True)
    except OSError:
        if not is_there():
            raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with whole_file(path) as pending:
        pending.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all; what JSON does not know is written as its ``str``."""
    write_text(path, json.dumps(content, indent=1, default=str) + "\n")


@contextmanager
def locked_file(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on a file, made if needed; gives whether it is held, which only ``wait`` off may deny."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def exclusive_lock(storage: str | Path, name: str, wait: bool = True) -> Iterator[None]:
    """Keep other processes on the same storage from what ``name`` names: a run, a sweep, a pretraining that several need.

    Raises :class:`UserError` if another process holds it and ``wait`` is off.
    """
    with locked_file(Path(storage) / ".locks" / name, wait) as held:
        if not held:
            raise UserError(f"{name} is being run by another process: wait for it, or give this one another name")
        yield
