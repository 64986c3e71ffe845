"""A job run as a user runs it, in this process."""

import sys

import pytest

from jobs.exits import run


def outcome(main, monkeypatch, capsys, *arguments):
    """Exit code, standard output and standard error of a job."""
    monkeypatch.setattr(sys, "argv", ["job", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        run(main)
    printed = capsys.readouterr()
    return stop.value.code, printed.out, printed.err
