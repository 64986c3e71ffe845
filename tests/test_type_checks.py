"""What is checked at each call of a function of sem3d in tests, whichever way its decorator takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from beartype import beartype
from jaxtyping import Float, TypeCheckError

from tests.type_checks import MARK, checked, checked_function

check = partial(checked, typechecker=beartype)
ROWS = np.ones((4, 3))


@check
def plain(count: int, name: str = "") -> int:
    return name if name else count  # pyright: ignore[reportReturnType]


@check
def added(left: Float[np.ndarray, "row 3"], right: Float[np.ndarray, "row 3"]) -> Float[np.ndarray, "row 3"]:
    return inner(left[:2])[:1] if len(left) > 5 else left + right


@check
def inner(rows: Float[np.ndarray, "row 3"]) -> Float[np.ndarray, "row 3"]:
    return rows


@check
def counted(rows: Float[np.ndarray, "{count} 3"], count: int) -> list[Float[np.ndarray, "3"]]:
    return [*rows]


@check
def chosen(kind: Literal["one", "two"]) -> str:
    return kind


@check
def lazily(count: int) -> Iterator[int]:
    yield from range(count)


@check
@dataclass
class Batch:
    rows: Float[np.ndarray, "item 3"]
    names: Float[np.ndarray, "item"]


@check
@dataclass
class Named:
    name: str

    def __post_init__(self) -> None:
        self.length = len(self.name)


@check
class Longer(Named):
    """Inherits what is checked."""


@pytest.mark.parametrize(
    "call",
    [
        lambda: plain("one"),
        lambda: plain(1, "name"),
        lambda: added(ROWS, ROWS[:2]),
        lambda: added(np.ones((6, 3)), np.ones((6, 3))),
        lambda: added(ROWS, ROWS.astype(int)),
        lambda: counted(ROWS, 3),
        lambda: chosen("three"),  # pyright: ignore[reportArgumentType]
        lambda: lazily("three"),
        lambda: Batch(ROWS, ROWS[:3, 0]),
        lambda: Named(3),
        lambda: Longer(3),
    ],
)
def test_a_wrong_type_is_an_error(call: Callable[[], Any]):
    with pytest.raises(TypeCheckError):
        call()


def test_right_types_pass_and_axes_are_named_for_one_call():
    assert plain(1) == 1
    assert chosen("two") == "two"
    assert [len(added(rows, rows)) for rows in (ROWS, ROWS[:2])] == [4, 2]
    assert len(counted(ROWS, 4)) == 4
    assert [*lazily(2)] == [0, 1]
    assert len(Batch(ROWS, ROWS[:, 0]).rows) == 4
    assert Longer("name").length == 4


def test_functions_that_need_no_arguments_for_their_axes_go_the_short_way():
    short, long = (plain, added, chosen), (counted, lazily)
    assert [hasattr(one, MARK) for one in (*short, *long)] == [*[True] * 3, *[False] * 2]
    assert checked_function(partial(plain)) is None
