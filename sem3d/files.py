"""Files and folders that are whole or not there, and locks that a kill lets go of: the only place that knows of rename, fsync
and flock.

What is unfinished lies beside its final place under a name that begins with a dot, so that it is on the same file system and no
reader takes it for a result.
"""

import fcntl
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

from sem3d.errors import UserError
from sem3d.folders import is_hidden, is_there
from sem3d.texts import read_text

logger = logging.getLogger(__name__)


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
def replaced_folder(path: Path, stands: Callable[[], bool]) -> Iterator[Path]:
    """Give an empty folder to fill and put it in the place of what is at ``path`` once the block ends well.

    ``stands`` tells if another process has put the same at ``path`` meanwhile: that one stays.
    """
    try:
        with whole_folder(path) as place:
            yield place
            if not stands():
                replaced = unfinished(path)
                with suppress(FileNotFoundError):
                    os.replace(path, replaced)
                shutil.rmtree(replaced, ignore_errors=True)
    except OSError:
        if not stands():
            raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with whole_file(path) as pending:
        pending.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all; what JSON does not know is written as its ``str``."""
    write_text(path, json.dumps(content, indent=1, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises :class:`UserError` where it is absent, unreadable or no JSON."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}") from error


def stored_json(path: Path, *keys: str) -> dict[str, Any] | None:
    """Return a JSON object that sem3d wrote, with these keys at least; ``None`` where there is none.

    One that a full disk, a dead file server or a hand has damaged counts as absent, which is said in one line of sem3d's log.
    """
    if not is_there(path):
        return None
    try:
        content = read_json(path)
    except UserError as error:
        logger.warning("%s; it counts as absent", error)
        return None
    if not isinstance(content, dict) or not set(keys) <= content.keys():
        logger.warning("%s is damaged: it is no object with %s; it counts as absent", path, ", ".join(keys) or "keys")
        return None
    return content


def record_paths(folder: Path) -> list[Path]:
    """Return the JSON files in ``folder``, sorted; those that are not whole yet, and others that are hidden, are none."""
    return sorted(path for path in folder.glob("*.json") if not is_hidden(path.name))


@contextmanager
def locked_file(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on a file, made if needed; gives whether it is held, which only ``wait`` off may deny."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a")
    except OSError as error:
        raise UserError(f"{path.parent} cannot be written: {error.strerror}") from error
    with opened as lock:
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
