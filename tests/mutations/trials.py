"""A parser under mutated bytes: what came out of it that no user should see, and how to see it again."""

import os
import shutil
import signal
import time
import traceback
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

from sem3d.errors import LONGEST, BadSample, UserError
from tests.mutations.mutator import mutated

LONGEST_SECONDS = 5.0
"""Of the processor: other lanes and users must not make a case slow."""
LARGEST_GROWTH = 1 << 30
LONGEST_LINE = 2 * LONGEST + 2
HANGING = 60


@dataclass(frozen=True)
class Parser:
    """A reader of outside bytes and a small file that it takes."""

    name: str
    make: Callable[[Path], Path]
    """Writes into an empty folder everything that the reader wants; returns the file that is mutated."""
    read: Callable[[Path], object]
    """Reads the folder through sem3d."""
    take: Callable[[Path], bytes] = Path.read_bytes
    """The content of the file; less than the whole where the rest is a container, which would only be refused."""
    put: Callable[[Path, bytes], object] = Path.write_bytes
    """Puts such content into the file."""


@dataclass
class Found:
    """Outcome of some cases of one parser."""

    cases: int = 0
    refused: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    """By kind, the first case that had it."""


class HangsError(BaseException):
    """A case that took so long that it was given up; no reader catches it."""


def case_of(parser: Parser, number: int, content: bytes) -> bytes:
    """The bytes of a case; they depend on the parser's name, the number and the valid content alone."""
    return mutated(content, np.random.default_rng([zlib.crc32(parser.name.encode()), number]))


def try_cases(parser: Parser, folder: Path, first: int, cases: int) -> Found:
    """Feed the parser so many cases from number ``first`` on, and the valid file before them."""
    folder.mkdir()
    path = parser.make(folder)
    content = parser.take(path)
    parser.put(path, content)
    parser.read(folder)
    found = Found()
    for number in range(first, first + cases):
        parser.put(path, case_of(parser, number, content))
        found.cases += 1
        kind, words = try_case(parser, folder)
        found.refused += kind == ""
        if kind:
            found.faults.setdefault(kind, f"case {number}: {words}")
        if not path.parent.is_dir():
            path = parser.make(folder)
    return found


def try_case(parser: Parser, folder: Path) -> tuple[str | None, str]:
    """Kind of the fault and a line on it; ``""`` where the bytes were refused as they should, ``None`` where they were read."""
    resident, start = reset_peak(), time.process_time()
    kind, words = outcome(parser, folder)
    seconds, growth = time.process_time() - start, peak() - resident
    if seconds > LONGEST_SECONDS:
        return f"{seconds:.0f} s", f"took {seconds:.1f} s, then {words}"
    if growth > LARGEST_GROWTH:
        return "memory", f"took {growth >> 20} MB, then {words}"
    return kind, words


def outcome(parser: Parser, folder: Path) -> tuple[str | None, str]:
    try:
        with given_up():
            parser.read(folder)
    except (UserError, BadSample) as error:
        line = str(error)
        if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl") for letter in line) or len(line) > LONGEST_LINE:
            return f"a message that is no line, from {place_of(error)}", ascii(line[:300])
        return "", line
    except (Exception, HangsError) as error:
        return f"{type(error).__name__} from {place_of(error)}", f"{type(error).__name__}: {ascii(str(error))[:300]}"
    return None, "read"


def place_of(error: BaseException) -> str:
    """The innermost line of sem3d that an error passed, else the innermost at all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}sem3d{os.sep}" in frame.filename and ".venv" not in frame.filename]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"


@contextmanager
def given_up() -> Iterator[None]:
    """Interrupt what does not come back."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise HangsError(f"nothing within {HANGING} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(HANGING)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def reset_peak() -> int:
    """Begin a new measurement of the largest resident memory; returns what is resident now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def peak() -> int:
    return status("VmHWM")


def status(name: str) -> int:
    """Bytes of a line of this process's status."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def emptied(folder: Path) -> Path:
    """A folder without anything in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
