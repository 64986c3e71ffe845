"""Files of frames by the number in their names, whatever zeros and case; none that lies there is left out unsaid."""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from sem3d.errors import BadSample
from sem3d.folders import entries, is_there


def numbered(folder: Path, endings: Sequence[str], word: str = "") -> dict[int, Path]:
    """Return the files of ``folder`` by the frame number that their name is, after a ``word``; nothing where there is no such
    folder.

    Of files of one number that with the first of ``endings`` is taken. Raises :class:`BadSample` if two have the same, or if
    what has the name of the folder may not be looked into.
    """
    found: dict[int, Path] = {}
    for path in entries(folder) if os.path.lexists(folder) else ():
        numeral = path.stem.removeprefix(word) if path.stem.startswith(word) else ""
        if not numeral.isdecimal() or path.suffix.lower() not in endings:
            continue
        number = int(numeral)
        first = found.setdefault(number, path)
        rank, best = (endings.index(name.suffix.lower()) for name in (path, first))
        if first is not path and rank == best:
            raise BadSample(str(folder), f"two files of one number: {first.name} and {path.name}; remove one of them")
        if rank < best:
            found[number] = path
    return found


def file_of(files: dict[int, Path], folder: Path, number: int) -> Path:
    """Return the file of a frame; raises :class:`BadSample` in the name that it would have."""
    if number not in files:
        like = next(iter(files.values()), folder / f"{number}.?")
        name = f"{number:0{len(like.stem)}d}" if like.stem.startswith("0") and len(like.stem) > 1 else str(number)
        raise BadSample(str(folder / f"{name}{like.suffix}"), "missing file")
    return files[number]


def existing(root: Path, path: Path | None) -> str:
    """Return locator of a file that was met, or "" where none was; raises :class:`BadSample` where it is no regular file."""
    if path is None:
        return ""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadSample(str(path), f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise BadSample(str(path), "no regular file")
    return path.relative_to(root).as_posix()


def first_there(root: Path, paths: Iterable[Path]) -> str:
    """Return locator of the first of ``paths`` whose name is there, "" where none is; whoever reads it says if it is no file."""
    return next((path.relative_to(root).as_posix() for path in paths if os.path.lexists(path)), "")


def upward(root: Path, folder: Path, name: str) -> Path | None:
    """Return the file ``name`` of a folder or of the nearest one above it up to the root; None where none has it."""
    for place in (folder, *folder.parents):
        if is_there(place / name):
            return place / name
        if place == root:
            break
    return None
