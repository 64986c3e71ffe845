"""JSON of one sample, and the numbers in it by name: what is none is named."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sem3d.errors import BadSample, UserError
from sem3d.files import read_json


def read_sample_json(path: Path) -> Any:
    """Return the content of a JSON file; raises :class:`BadSample` where it is absent, unreadable or no JSON."""
    try:
        return read_json(path)
    except UserError as error:
        raise BadSample(str(path), str(error).removeprefix(f"{path} ").removeprefix(f"{path}: ")) from error


def positive(record: Mapping[str, Any], key: str, source: str, otherwise: float | None = None) -> float:
    """Return a number above zero of a record; raises :class:`BadSample` where it is none, or absent without another."""
    value = finite(record, key, source, otherwise)
    if value <= 0:
        raise BadSample(source, f"{key} is {value:g}: it must be above zero")
    return value


def finite(record: Mapping[str, Any], key: str, source: str, otherwise: float | None = None) -> float:
    """Return a finite number of a record; raises :class:`BadSample` where it is none, or absent without another."""
    value = record.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadSample(source, f"{key} is {'absent' if value is None else 'no finite number'}")
    return float(value)
