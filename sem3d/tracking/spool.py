"""Records that a run still has to send to its tracking store: a numbered folder that outlives the process.

A record is written before anyone tries to send it and removed once the store has taken it, so a process that ends in
between loses nothing; the next one finds the records in their order.
"""

import logging
import os
import re
import shutil
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from sem3d.config import of_kind
from sem3d.errors import one_line
from sem3d.files import stored_json, sync, write_json
from sem3d.folders import is_there
from sem3d.runs.run_folder import LONGEST_NAME

logger = logging.getLogger(__name__)
RECORD = "record.json"
UNFINISHED = ".unfinished-"
KINDS: dict[str, dict[str, Any]] = {
    "metrics": {"points": list[tuple[str, float, int, int]]},
    "tags": {"values": dict[str, str]},
    "value": {"name": str, "content": Any},
    "file": {"folder": str},
    "status": {"value": Literal["FINISHED", "FAILED", "KILLED"]},
}
"""Types of what a record of each kind has."""
LARGEST = 1 << 62
LONGEST_PART, LONGEST_PATH = LONGEST_NAME - 55, 1024
"""Bytes of a folder's name and of a path below a store's, which puts its own before and an ending behind."""
ENTRY = re.compile(r"\d{8,}-[0-9a-f]{6}")


class Spool:
    """A queue of records on disk, oldest first; a record is a JSON object and may have one file with it.

    Any thread may add, one thread takes away, and one process at a time uses the folder. A file is kept by a hard link
    where the file system allows one, else by a copy, so that its original may be pruned.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover)
        self.lock = threading.Lock()
        self.entries = sorted(path for path in folder.iterdir() if ENTRY.fullmatch(path.name))
        self.number = int(self.entries[-1].name.partition("-")[0]) if self.entries else 0

    def add(self, record: dict[str, Any], file: Path | None = None) -> None:
        """Put a record at the end, with a copy of ``file`` under its own name."""
        with self.lock:
            self.number += 1
            entry = self.folder / f"{self.number:08d}-{uuid.uuid4().hex[:6]}"
            unfinished = self.folder / f"{UNFINISHED}{entry.name}"
            unfinished.mkdir()
            if file is not None:
                _keep(file, unfinished / "file" / file.name)
            write_json(unfinished / RECORD, {**record, "file": file.name if file else None})
            unfinished.rename(entry)
            sync(self.folder)
            self.entries.append(entry)

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self.entries

    def waiting(self, most: int) -> list[tuple[Path, dict[str, Any]]]:
        """Return the oldest ``most`` entries, each with its record, whose ``file`` is a path or ``None``."""
        with self.lock:
            oldest = self.entries[:most]
        found = [(entry, record) for entry in oldest if (record := _read(entry)) is not None]
        if len(found) < len(oldest):
            whole = {entry for entry, _ in found}
            self.remove([entry for entry in oldest if entry not in whole])
            return self.waiting(most)
        return found

    def remove(self, entries: list[Path]) -> None:
        """Forget entries; a kill in the middle leaves whole ones."""
        for entry in entries:
            leaving = entry.with_name(f"{UNFINISHED}{entry.name}")
            with suppress(FileNotFoundError):
                entry.rename(leaving)
            shutil.rmtree(leaving, ignore_errors=True)
        with self.lock:
            gone = set(entries)
            self.entries = [entry for entry in self.entries if entry not in gone]


def is_waiting(folder: Path) -> bool:
    """Return whether a spool was left in ``folder`` with something in it."""
    return folder.is_dir() and not Spool(folder).is_empty()


def _read(entry: Path) -> dict[str, Any] | None:
    """Return the record of an entry; ``None`` if it is damaged, so that no store would ever take it, or a process of an attempt
    that is being killed has just removed it.
    """
    record = stored_json(entry / RECORD, "file", kind=str)
    if record is None:
        return None
    record["file"] = entry / "file" / Path(str(record["file"])).name if record["file"] else None
    if fault := _fault(record):
        logger.warning("%s is damaged: %s; it is left out", entry / RECORD, fault)
        return None
    return record


def _fault(record: dict[str, Any]) -> str:
    """Return why no store can take a record of this content, "" where one may."""
    kind = record["kind"]
    try:
        values = [of_kind(record[name], like) for name, like in KINDS[kind].items()]
    except (LookupError, TypeError, ValueError) as error:
        return one_line(f"its kind is {kind!r}, and {type(error).__name__} of {error}")
    numbers = [number for point in values[0] for number in point if type(number) is int] if kind == "metrics" else []
    if any(abs(number) > LARGEST for number in numbers):
        return "it has a number of more than 64 bits"
    if kind == "file" and not (record["file"] and is_there(record["file"])):
        return "its file is gone"
    paths = [record["name"]] if kind == "value" else []
    if kind == "file":
        paths = [record["file"].name, *filter(None, [record["folder"]])]
    return "" if all(map(_is_name, paths)) else "it has a name that no folder can have"


def _is_name(path: str) -> bool:
    """Return whether something of this name may lie below any store's folder."""
    parts = path.split("/")
    named = path.isprintable() and not {"", ".", ".."}.intersection(parts)
    return named and len(path.encode()) <= LONGEST_PATH and max(len(part.encode()) for part in parts) <= LONGEST_PART


def _keep(file: Path, place: Path) -> None:
    place.parent.mkdir()
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)
