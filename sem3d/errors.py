"""The errors a user can cause, each one line: what was wrong, where, what to do."""

import re
import unicodedata

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
