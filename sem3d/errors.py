"""The errors a user can cause, each one line: what was wrong, where, what to do."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

MOST_MEANT = 3
"""Names that an error proposes."""
LONGEST = 2000
"""Letters of an error; files hold words of any length, and libraries repeat them."""


def one_line(text: str) -> str:
    """Return ``text`` as one line that every terminal takes, with what is no letter (control characters, names that are no
    UTF-8) as escapes, and the middle of an endless one left out.
    """
    line = "".join(
        letter if unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") else ascii(letter)[1:-1]
        for letter in re.sub(r"\s*[\r\n]\s*", " ", text.strip())
    )
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-(LONGEST // 2 - 5) :]}"


def near(written: str, known: Iterable[str]) -> str:
    """Return the end of an error's line that asks whether one of the ``known`` names was meant, "" where none is like it.

    A setting with the same last part as what was ``written`` is like it, whatever comes before.
    """
    names = list(known)
    last = written.rpartition(".")[2]
    same = [name for name in names if "." in name and name.rpartition(".")[2] == last]
    alike = [name for name in get_close_matches(written, names, MOST_MEANT) if name not in same]
    found = [*same, *alike][:MOST_MEANT]
    return f"; did you mean {' or '.join(found)}?" if found else ""


class UserError(Exception):
    """Something the user can fix; jobs print it on one line and exit with code 2."""

    def __str__(self) -> str:
        """Return its words on one line, whatever file or library they come from."""
        return one_line(super().__str__())


class BadSample(Exception):
    """One sample cannot be used; it is put in quarantine by name and the run goes on.

    ``source`` names the file or row, ``reason`` says what is wrong with it; each is one line.
    """

    def __init__(self, source: str, reason: str):
        self.source, self.reason = one_line(source), one_line(reason)
        super().__init__(f"{self.source}: {self.reason}")
