"""Files and folders that are whole or not there, and locks that a kill lets go of: the only place that knows of rename, fsync
and flock.

What is unfinished lies beside its final place under a name that begins with a dot, so that it is on the same file system and no
reader takes it for a result. Its writer holds a lock on it; what a writer that was killed has left is removed by the next one of
the same place. Where the system does not let write, :class:`UserError` says so in one line.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any, BinaryIO

from sem3d.config import as_kind
from sem3d.errors import UserError, one_line
from sem3d.folders import is_hidden, is_there
from sem3d.texts import read_text

logger = logging.getLogger(__name__)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
PASSING = (errno.EIO, errno.ESTALE, errno.ENOENT)
"""What a server of files answers that is away for a while, or behind: worth another attempt."""
NOT_OF_FILES = (ConnectionError, TimeoutError, ChildProcessError, ProcessLookupError, InterruptedError)
MEGABYTE = 1 << 20
WRITING = ".writing"
"""Name of the file in an unfinished folder that its writer holds a lock on."""
SECONDS_TO_LOCK = 60.0
"""Age from which what nobody holds a lock on was left by a killed writer: a live one takes its lock at once."""


def room_left(place: Path) -> int:
    """Return the bytes that this user may still write in ``place``, or where it would be made."""
    for folder in (place, *place.parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


def check_room(place: Path, needed: int, purpose: str) -> None:
    """Raise :class:`UserError` unless ``needed`` bytes can be written in ``place``; ``purpose`` says for what."""
    if room_left(place) < needed:
        raise no_room(place, needed, purpose)


def no_room(place: Path, needed: int = 0, purpose: str = "") -> UserError:
    """Return the error of a disk that is full."""
    wanted = f"{-(-needed // MEGABYTE)} MB are needed for {purpose}, " if needed else ""
    free = room_left(place) // MEGABYTE
    return UserError(f"no room in {place}: {wanted}{free} MB are free; free some, or name another folder")


@contextmanager
def writes_in(place: Path, needed: int = 0, purpose: str = "") -> Iterator[None]:
    """Turn the system's refusal to write in ``place`` into a :class:`UserError`, also for ``needed`` bytes of ``purpose``."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room(place, needed, purpose) from error
        if error.errno is None or error.errno in PASSING or isinstance(error, NOT_OF_FILES):
            raise
        met = Path(os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else place)
        reason = f"{met} is no folder" if isinstance(error, FileExistsError) else error.strerror
        if met.is_relative_to(place.parent) or place.is_relative_to(met):
            raise UserError(f"{place} cannot be written: {reason}") from error
        raise UserError(f"{met}: {error.strerror}") from error


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


def content_digest(path: str | Path) -> bytes:
    """Return a digest of the bytes of a regular file; raises :class:`OSError` where it cannot be read."""
    seen = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(MEGABYTE):
            seen.update(block)
    return seen.digest()


def first_of_content(paths: Sequence[Path], most: int) -> dict[Path, Path]:
    """Return for each file the first one with the same bytes, mostly itself; files are read only where several have one size.

    One that is empty, unreadable, or of more than ``most`` bytes is like no other.
    """
    alike: dict[int, list[Path]] = {}
    for path in dict.fromkeys(paths):
        with suppress(OSError):
            alike.setdefault(os.stat(path).st_size, []).append(path)
    met: dict[bytes, Path] = {}
    first = {path: path for path in paths}
    for same in (same for size, same in alike.items() if 0 < size <= most and len(same) > 1):
        for path in same:
            with suppress(OSError):
                first[path] = met.setdefault(content_digest(path), path)
    return first


def unfinished(path: Path) -> Path:
    """Return a name beside ``path``, of this call alone, for what is not whole yet."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of ``path`` have left beside it."""
    left = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    for name in filter(left.fullmatch, os.listdir(path.parent)):
        with suppress(OSError):
            _remove_unless_held(path.with_name(name))


def _remove_unless_held(leftover: Path) -> None:
    if time.time() - leftover.stat().st_mtime < SECONDS_TO_LOCK:
        return
    held = leftover / WRITING if leftover.is_dir() else leftover
    if held.exists():
        with held.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if leftover.is_dir():
        shutil.rmtree(leftover)
    else:
        leftover.unlink()


@contextmanager
def usual_mode(path: Path) -> Iterator[None]:
    """Leave ``path``, which the block writes, with the mode that new files have here: safetensors makes its own for their owner
    alone, whatever the umask says.
    """
    path.touch()
    mode = S_IMODE(path.stat().st_mode)
    yield
    path.chmod(mode)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to and put it at ``path`` by one rename once the block ends well; nothing is left otherwise.

    Raises :class:`UserError` where the system does not let write.
    """
    pending = unfinished(path)
    with writes_in(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        try:
            with pending.open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with usual_mode(pending):
                    yield pending
                sync(pending)
                os.replace(pending, path)
        finally:
            pending.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, pending: Path | None = None) -> Iterator[Path]:
    """Give an empty folder to fill and put it at ``path`` by one rename once the block ends well.

    A ``pending`` folder that the caller names is kept if the block fails, and found again with what it holds by the next call;
    otherwise nothing is left. Raises :class:`UserError` where the system does not let write, or where ``path`` is a folder
    with something in it by then.
    """
    with writes_in(path):
        if pending is None:
            with _folder_beside(path) as place:
                yield place
                _put(place, path)
        else:
            pending.mkdir(parents=True, exist_ok=True)
            yield pending
            _put(pending, path)


@contextmanager
def replaced_folder(path: Path, stands: Callable[[], bool]) -> Iterator[Path]:
    """Give an empty folder to fill and put it in the place of what is at ``path`` once the block ends well.

    ``stands`` tells if another process has put the same at ``path`` meanwhile: that one stays, and is not taken away from
    those who read it already. Raises :class:`UserError` where the system does not let write.
    """
    with writes_in(path), _folder_beside(path) as place:
        yield place
        with exclusive_lock(path.parent, path.name):
            if stands():
                return
            replaced = unfinished(path)
            with suppress(FileNotFoundError):
                os.replace(path, replaced)
            _put(place, path)
            shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Give a new folder beside ``path``, locked meanwhile, and remove it unless it was put elsewhere."""
    place = unfinished(path)
    place.mkdir(parents=True)
    remove_leftovers(path)
    try:
        with (place / WRITING).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _put(place: Path, path: Path) -> None:
    """Give a filled folder its final name; raises :class:`OSError` where there is something in the way."""
    (place / WRITING).unlink(missing_ok=True)
    os.replace(place, path)
    sync(path.parent)


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
        content = json.loads(text, parse_int=whole_number)
        if "\\ud" in text.lower():
            json.dumps(content, ensure_ascii=False).encode()  # halves of characters, which nothing can write again
        return content
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}") from error


def whole_number(digits: str) -> int:
    """Return a whole number of 64 bits; raises ValueError for a larger one, which no table, float or seed can be."""
    number = int(digits)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return number


def stored_json(path: Path, *keys: str, **kinds: Any) -> dict[str, Any] | None:
    """Return a JSON object that sem3d wrote, with these keys at least, and values of these types; ``None`` where there is none.

    One that a full disk, a dead file server or a hand has damaged counts as absent, which is said in one line of sem3d's log.
    """
    if not is_there(path):
        return None
    try:
        content = read_json(path)
    except UserError as error:
        logger.warning("%s; it counts as absent", error)
        return None
    needed = (*keys, *kinds)
    if not isinstance(content, dict) or not set(needed) <= content.keys():
        logger.warning("%s is damaged: it is no object with %s; it counts as absent", path, ", ".join(needed) or "keys")
        return None
    try:
        return content | {name: as_kind(content[name], kind) for name, kind in kinds.items()}
    except (OverflowError, TypeError, ValueError) as error:
        logger.warning("%s is damaged: %s; it counts as absent", path, one_line(str(error)))
        return None


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
