"""Walks of folders of data: what operating systems leave there is never data, and a place under two names is one."""

import os
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from sem3d.errors import BadSample, UserError

SYSTEM_NAMES = frozenset(
    {"lost+found", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "system volume information", "$recycle.bin"}
)
"""Files and folders of Linux, macOS and Windows in lower case; those that begin with a dot are left out as well."""

ANSWER_SECONDS = 15.0
DEEPEST = 6
"""Levels of folders below a root whose files identify the data."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is the system's, or hidden, and so never data."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def is_there(path: Path) -> bool:
    """Return whether there is something of this name, if only something that may not be looked at: reading it says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def await_answer(path: Path, look: Callable[[Path], object] = os.stat, seconds: float = ANSWER_SECONDS) -> None:
    """Return once the file system of ``path`` has said if there is such a thing; raises :class:`UserError` if it says nothing.

    That of a server that is away says nothing for ever, and whoever asks cannot be interrupted: so another thread asks.
    """

    def ask() -> None:
        with suppress(OSError, ValueError):
            look(path)

    asking = threading.Thread(target=ask, name="file system", daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive():
        raise UserError(
            f"{path} does not answer within {seconds:.0f} s: mount its file system again, or name another place"
        )


def nearest_there(path: Path) -> Path:
    """Return ``path``, or the nearest folder above it that exists."""
    while not is_there(path) and path != path.parent:
        path = path.parent
    return path


def file_identity(path: Path) -> Hashable:
    """Return what all names of one file share, whether they are links of one kind or the other."""
    try:
        state = path.stat()
    except OSError:
        return str(path.absolute())
    return state.st_dev, state.st_ino


def entries(folder: Path) -> list[Path]:
    """Return what lies in ``folder``, sorted, hidden names left out; raises :class:`BadSample` if it may not be looked into."""
    try:
        return sorted(path for path in folder.iterdir() if not is_hidden(path.name))
    except OSError as error:
        raise BadSample(str(folder), f"unreadable folder: {error.strerror}") from error


def root_entries(root: Path) -> list[Path]:
    """Return the entries of the folder that the user named; raises :class:`UserError` if it may not be looked into."""
    try:
        return entries(root)
    except BadSample as error:
        raise UserError(f"{error}: let this user read it, or name another one") from error


def matching(folder: Path, pattern: str) -> list[Path]:
    """Return the entries of ``folder`` whose names match ``pattern``, in any case of letters."""
    return named(entries(folder), pattern)


def named(paths: list[Path], pattern: str) -> list[Path]:
    """Return those of ``paths`` whose names match ``pattern``, in any case of letters."""
    return [path for path in paths if fnmatchcase(path.name.lower(), pattern.lower())]


def file_states(folder: Path, deepest: int = DEEPEST, made: Path | None = None) -> list[tuple[str, int, int]]:
    """Return relative name, size and time of change in nanoseconds of the files in ``folder``, sorted; hidden ones are left out,
    and no folder is entered twice.

    What is ``made`` of them may lie among them, and reports beside it under its name: both are left out.
    """
    met: set[str] = set()
    states: list[tuple[str, int, int]] = []
    for place, folders, files in os.walk(folder, followlinks=True):
        relative = os.path.relpath(place, folder)
        deep = relative.count(os.sep) + 1 >= deepest
        again = os.path.realpath(place) in met
        met.add(os.path.realpath(place))
        others = [name for name in folders + files if not is_hidden(name)]
        if made is not None and Path(place) == made.parent:
            others = [name for name in others if name != made.name and not name.startswith(f"{made.name}.")]
        folders[:] = [] if deep or again else sorted(set(folders).intersection(others))
        for name in [] if again else sorted(set(files).intersection(others)):
            path = os.path.join(place, name)
            state = os.stat(path) if os.path.exists(path) else os.lstat(path)
            states.append((os.path.join(relative, name), state.st_size, state.st_mtime_ns))
    return states
