"""Numbers that settings may be: marks in the types of their fields, and the words for a number outside them."""

import dataclasses
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from sem3d.errors import UserError

LARGEST_WHOLE = 2**31 - 1


@dataclass(frozen=True)
class Bounds:
    """A mark in the type of a setting: the least and largest number that mean anything.

    A setting without the mark may be any finite number from 0.
    """

    least: float | int = 0
    most: float | int | None = None
    above: bool = False
    """The least number itself is outside."""
    below: bool = False
    """The largest number itself is outside."""

    def fault(self, value: Any, whole: bool) -> str | None:
        """Return what a number must be that is not within the bounds; None where it is. ``whole``: its field counts."""
        most = self.most if self.most is not None else (LARGEST_WHOLE if whole else inf)
        inside = value > self.least if self.above else value >= self.least
        inside = inside and (value < most if self.below else value <= most)
        if inside and isfinite(value) and (not whole or value == int(value)):
            return None
        kind = "whole number" if whole else "number"
        low = f"above {self.least:g}" if self.above else f"from {self.least:g}"
        unsaid = most == inf or (self.most is None and value <= most)
        shown = f"{most:d}" if isinstance(most, int) else f"{most:g}"
        high = "" if unsaid else f" {'to below' if self.below else 'to'} {shown}"
        return f"it must be a {kind} {low}{high}"


UNMARKED = Bounds()
AtLeastOne = Annotated[int, Bounds(1)]
Seed = Annotated[int, Bounds(0, 2**63 - 1)]
Side = Annotated[int, Bounds(1, 1 << 14)]
"""Pixels of an image."""
Width = Annotated[int, Bounds(1, 1 << 16)]
"""Channels of a layer."""
Positive = Annotated[float, Bounds(above=True)]
Share = Annotated[float, Bounds(0, 1)]
ShareBelowOne = Annotated[float, Bounds(0, 1, below=True)]
Metres = Annotated[float, Bounds(1e-6, 1e3)]
"""A length in a scan: nothing is measured finer than a micrometre."""


def check_bounds(config: Any, prefix: str = "") -> None:
    """Raise :class:`UserError` that names the first number among the leaves that lies outside the bounds of its type."""
    for name, bounds, whole in numbers_of(type(config)):
        value = getattr(config, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, int | float) and not isinstance(one, bool) and (fault := bounds.fault(one, whole)):
                raise UserError(f"{prefix}{name} is {value}, {fault}")
    for name in field_names(type(config)):
        if dataclasses.is_dataclass(part := getattr(config, name)):
            check_bounds(part, f"{prefix}{name}.")


@cache
def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass, in their order."""
    return tuple(item.name for item in dataclasses.fields(kind))


@cache
def numbers_of(kind: type) -> tuple[tuple[str, Bounds, bool], ...]:
    """Return the fields of a dataclass that hold numbers, with their bounds and whether they are whole."""
    return tuple(
        (name, *found) for name, hint in get_type_hints(kind, include_extras=True).items() if (found := _number(hint))
    )


def _number(hint: Any) -> tuple[Bounds, bool] | None:
    """Return bounds of a number's type, and whether it is whole; None for the type of anything else."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated and (found := _number(inner[0])):
        return next((mark for mark in inner[1:] if isinstance(mark, Bounds)), found[0]), found[1]
    if origin in (Union, UnionType, tuple):
        return next((found for one in inner if (found := _number(one))), None)
    return (UNMARKED, hint is int) if hint in (int, float) else None
