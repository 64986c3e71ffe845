"""A count of the folders that a process lists, by Python's audit events: a walk over the data cannot hide from it."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_watches: list[tuple[str, Counter[str]]] = []


def _note(event: str, arguments: tuple) -> None:
    if _watches and event in ("os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes | None):
        folder = os.path.realpath(os.fsdecode(arguments[0] or "."))
        for root, listed in _watches:
            if folder == root or folder.startswith(root + os.sep):
                listed[folder] += 1


@cache
def _install() -> None:
    sys.addaudithook(_note)  # Python knows no way to take it off again


@contextmanager
def listings_below(root: Path) -> Iterator[Counter[str]]:
    """Counts how often this process lists ``root`` and each folder below it, until the block ends."""
    _install()
    watch = (os.path.realpath(root), Counter())
    _watches.append(watch)
    try:
        yield watch[1]
    finally:
        _watches.remove(watch)


def folders_below(root: Path) -> set[str]:
    """``root`` and all folders below it."""
    return {os.path.realpath(place) for place, _, _ in os.walk(root)}
