"""Errors of the user: one line, whatever a file or a library puts into them."""

import pytest

from sem3d.errors import LONGEST, BadSample, UserError, near, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a  b", "a  b"),
        ("first\n   second\r\nthird\n", "first second third"),
        ("\x1b[31mred\0", "\\x1b[31mred\\x00"),
        ("caf\udce9", "caf\\udce9"),
        ("Stühle, 日本\u3000", "Stühle, 日本"),
    ],
)
def test_words_become_one_line_that_every_terminal_takes(text: str, line: str):
    assert one_line(text) == line == str(UserError(text))
    error = BadSample(text, text)
    assert (error.source, error.reason, str(error)) == (line, line, f"{line}: {line}")


def test_the_middle_of_an_endless_line_is_left_out():
    line = one_line("begin" + "\x1b" * 10_000 + "end")
    assert len(line) == LONGEST
    assert line.startswith("begin")
    assert line.endswith("end")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("pri3", "; did you mean pri3d?"),
        ("schedule.step", "; did you mean schedule.steps?"),
        ("lr", "; did you mean optim.lr or viewpoint.lr?"),
        ("run.lr", "; did you mean optim.lr or viewpoint.lr?"),
        ("cooking", ""),
        ("", ""),
    ],
)
def test_names_that_are_near_are_asked_for(written: str, asked: str):
    assert near(written, ["pri3d", "ssr", "schedule.steps", "optim.lr", "viewpoint.lr"]) == asked
