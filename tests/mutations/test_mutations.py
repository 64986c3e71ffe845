"""Every parser of outside bytes under mutated bytes: errors of the user come out, each one line, in bounded time and memory.

Each parser meets ``SEM3D_MUTATION_CASES`` (100; CI gives it 300), a dear one a twentieth: numbers, not times, so that machines of
any speed meet the same cases. A failure names parser and case: the case comes back with
``SEM3D_MUTATION_FIRST=<case> python -m pytest -n 0 <this file> -k <family>``, and other cases are met from a larger first one.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from sem3d.errors import BadSample, UserError
from tests.mutations.mutator import mutated
from tests.mutations.table import DEAR, FAMILIES, PARSERS
from tests.mutations.trials import LARGEST_GROWTH, Parser, try_cases

CASES = int(os.environ.get("SEM3D_MUTATION_CASES", "100"))
FIRST = int(os.environ.get("SEM3D_MUTATION_FIRST", "0"))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_only_errors_of_the_user_come_out_of_mutated_bytes(tmp_path: Path, family: str):
    faults: list[str] = []
    cases = 0
    for number, parser in enumerate(FAMILIES[family]):
        found = try_cases(parser, tmp_path / str(number), FIRST, CASES // 20 if parser.name in DEAR else CASES)
        cases += found.cases
        faults += [f"{parser.name}, {kind}: {words}" for kind, words in found.faults.items()]
        print(f"{parser.name}: {found.cases} cases, {found.refused} refused, {len(found.faults)} kinds of fault")
    assert not faults, "\n".join([f"{len(faults)} kinds of fault in {cases} cases", *faults])


def test_names_of_parsers_are_their_own():
    names = {parser.name for parser in PARSERS}
    assert len(names) == len(PARSERS)
    assert names >= DEAR


def test_a_case_is_the_same_again():
    content = b'{"a": [1, 2, {"b": null}], "c": "text"}'
    cases = [[mutated(content, np.random.default_rng(number)) for number in range(300)] for _ in range(2)]
    assert cases[0] == cases[1]
    assert len(set(cases[0])) > 250


class RawError(UserError):
    def __str__(self) -> str:
        return self.args[0]


def refusing(error: Exception):
    def read(folder: Path) -> None:
        if (folder / "file").read_bytes() != b"whole":
            raise error

    return read


def greedy(folder: Path) -> None:
    if (folder / "file").read_bytes() != b"whole":
        np.ones(LARGEST_GROWTH + (1 << 26), np.uint8)


def whole(folder: Path) -> Path:
    (folder / "file").write_bytes(b"whole")
    return folder / "file"


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (refusing(BadSample("file", "is bad")), ""),
        (refusing(UserError("file is bad")), ""),
        (refusing(KeyError("key")), "KeyError"),
        (refusing(RawError("file is\nbad")), "a message that is no line"),
        (refusing(RawError("file is \x1b[31mbad")), "a message that is no line"),
        (refusing(RawError("bad " * 2000)), "a message that is no line"),
        (greedy, "memory"),
    ],
)
def test_the_trial_sees_each_kind_of_fault(tmp_path: Path, read, kind: str):
    found = try_cases(Parser("toy", whole, read), tmp_path / "toy", 0, 4)
    assert found.cases == 4
    assert [name.startswith(kind) for name in found.faults] == ([True] if kind else [])
