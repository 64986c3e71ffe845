"""The one reader of text from outside: encodings, line ends and sizes as editors, shells and other systems leave them.

UTF-8 with or without a byte-order mark and UTF-16 with one are read; lines end with LF, CRLF or CR, the last one with or without.
"""

import codecs
import re
import stat
from pathlib import Path

from sem3d.errors import BadSample, UserError

LARGEST_TEXT = 64 << 20
"""Bytes; ScanNet's largest text is its label table of 0.1 MB."""
ADVICE = "save it as UTF-8 text"
ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode_text(content: bytes, source: str, fallback: str = "utf-8") -> str:
    """Return ``content`` as text whose lines end with LF; ``fallback`` is the encoding where no byte-order mark names one.

    Raises :class:`BadSample` in the name of ``source`` for bytes that are no text.
    """
    encoding = next((name for mark, name in ENCODINGS if content.startswith(mark)), fallback)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadSample(
            source, f"no {encoding.removesuffix('-sig').upper()} text at byte {error.start}: {ADVICE}"
        ) from error
    if "\0" in text:
        raise BadSample(source, f"no text, it holds NUL characters: {ADVICE}")
    return re.sub("\r\n?", "\n", text)


def plain_lines(content: bytes, source: str) -> bytes:
    """Return the bytes of a text of which single lines may be none, without a byte-order mark and with LF at the ends of its
    lines; UTF-16 becomes UTF-8.

    Raises :class:`BadSample` in the name of ``source`` for UTF-16 that is none.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode_text(content, source).encode()
    return content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def read_sample_text(path: str | Path, largest: int = LARGEST_TEXT) -> str:
    """Return the text of one sample's file, such as a pose; raises :class:`BadSample` where it is absent or no text."""
    return decode_text(read_regular(Path(path), largest), str(path))


def read_text(path: str | Path, largest: int = LARGEST_TEXT) -> str:
    """Return the text of a file that the work as a whole depends on, such as a list of scenes; raises :class:`UserError`."""
    try:
        return read_sample_text(path, largest)
    except BadSample as error:
        raise UserError(str(error)) from error


def lines_of(text: str) -> list[str]:
    """Return the lines of a decoded text; one that only ends the last line is none."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def decode_any_text(content: bytes, source: str) -> str:
    """Return text as :func:`decode_text` does, that of old programs, which is no UTF-8, as Latin-1."""
    try:
        return decode_text(content, source)
    except BadSample:
        return decode_text(content, source, fallback="latin-1")


def read_regular(path: Path, largest: int, source: str = "") -> bytes:
    """Return the bytes of a regular file of at most ``largest``; never waits for a pipe or a device.

    Raises :class:`BadSample` in the name of ``source``, the path unless it is given, for anything else.
    """
    source = source or str(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise BadSample(source, "no regular file")
        if state.st_size > largest:
            raise BadSample(source, f"too large: {state.st_size} bytes, at most {largest} are read")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadSample(source, "missing file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadSample(source, f"cannot be read: {reason}") from error
