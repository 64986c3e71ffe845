"""Standard output and error that outlive their reader: a closed pipe, a full disk, a terminal without some letters."""

import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

STANDARD_ERROR = 2
IN_ASCII = str.maketrans(
    {"─": "-", "–": "-", "—": "-", "±": "+/-", "×": "x", "→": "->", "°": " deg", "“": '"', "”": '"', "’": "'", "µ": "u"}
)


class LastingStream:
    """A text stream that never raises: letters that it cannot write become others, and once it is broken it takes everything."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return whatever else a stream has."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text as well as it can be."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.write(in_letters_of(text, self.stream.encoding))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what has been written."""
        try:
            self.stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Write to nowhere from now on, what waits in the buffer too; a reader that has left wants to hear no more."""
        with suppress(OSError, ValueError):
            if error.errno != errno.EPIPE and self.stream.fileno() != STANDARD_ERROR:
                os.write(STANDARD_ERROR, f"what is printed is lost from here on: {error.strerror}\n".encode())
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            self.stream.flush()


def in_letters_of(text: str, encoding: str) -> str:
    """Return a text in letters that an encoding has: nearby ones for those that it lacks, else question marks."""
    return "".join(letter if _has(encoding, letter) else _nearby(letter, encoding) for letter in text)


def _has(encoding: str, letter: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nearby(letter: str, encoding: str) -> str:
    parts = unicodedata.normalize("NFKD", letter.translate(IN_ASCII))
    kept = "".join(part for part in parts if not unicodedata.combining(part))
    return kept.encode(encoding, "replace").decode(encoding)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Have everything that is printed meanwhile, and at the end of the program, go through :class:`LastingStream`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and LastingStream(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        sys.stdout, sys.stderr = before
