"""Reading a command line with tyro, and its errors in one line."""

import contextlib
import functools
import io
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import tyro

from jobs.explanation import begin_in_earnest
from sem3d.errors import UserError, near

MOST_MEANT = 3
NO_NUMBERS = (
    (r"invalid literal for int\(\) with base 10: ('.*')", r"\1 is no whole number"),
    (r"could not convert string to float: ('.*')", r"\1 is no number"),
)
"""Python's words, and plain ones."""
RULE = re.compile(r"^[\s╭╮╰╯│├┤─-]*$")


def parse(kind: Any, *, prog: str, args: list[str] | None = None, **options: Any) -> Any:
    """Return ``tyro.cli``, except that a wrong argument raises a one-line :class:`UserError` that names it."""
    with errors_in_one_line(prog):
        return tyro.cli(kind, prog=prog, args=args, **options)


def gathered(arguments: list[str], option: str) -> list[str]:
    """Return the arguments with all values of an option that is given several times behind the first; tyro takes the last."""
    values: list[str] = []
    others: list[str] = []
    place, taking = None, False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name == option:
            place, taking = len(others) if place is None else place, not equals
            values += [value] if equals else []
        elif taking and not argument.startswith("--"):
            values.append(argument)
        else:
            taking = False
            others.append(argument)
    return arguments if place is None else [*others[:place], option, *values, *others[place:]]


def run_verb(verbs: dict[str, Callable[..., None]], *, prog: str) -> None:
    """Call the function that the first argument names with its parameters read from the other arguments."""
    begun = [argument for argument in sys.argv[1:2] if not argument.startswith("-")]
    if begun and begun[0] not in verbs:
        raise UserError(f"unknown verb '{begun[0]}': choose one of {', '.join(verbs)}{near(begun[0], verbs)}")
    with errors_in_one_line(" ".join([prog, *begun])):
        call = tyro.extras.subcommand_cli_from_dict({name: deferred(verb) for name, verb in verbs.items()}, prog=prog)
    begin_in_earnest()
    call()


def deferred(verb: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """Return ``verb`` with the same signature, which only remembers its arguments: what it prints is then not taken for
    tyro's.
    """

    @functools.wraps(verb)
    def remember(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return functools.partial(verb, *args, **kwargs)

    return remember


@contextlib.contextmanager
def errors_in_one_line(prog: str) -> Iterator[None]:
    """Turn what tyro prints before it exits with code 2 into a :class:`UserError`."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit as stop:
        if stop.code != 2:
            raise
        box = printed.getvalue()
        raise UserError(f"{first_message(box)}{meant(box)} (see {prog} --help)") from None


def first_message(box: str) -> str:
    """Return the text of the first paragraph of one of tyro's boxes."""
    lines = [line.strip(" │") for line in box.splitlines()]
    start = 2 if len(lines) > 1 and RULE.match(lines[1]) else 1
    end = next((number for number in range(start, len(lines)) if RULE.match(lines[number])), len(lines))
    message = " ".join(" ".join(lines[start:end]).split()).rstrip(".") or "wrong arguments"
    for pattern, words in NO_NUMBERS:
        message = re.sub(pattern, words, message)
    return message


def meant(box: str) -> str:
    """Return the question whether one of the options was meant that tyro finds near, empty where it finds none."""
    _, _, alike = box.partition("Perhaps you meant:")
    options = re.findall(r"^[\s│|]*(--\w[\w.-]*)", alike, re.MULTILINE)
    return f": did you mean {' or '.join(list(dict.fromkeys(options))[:MOST_MEANT])}?" if options else ""
