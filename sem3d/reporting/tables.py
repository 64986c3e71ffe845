"""Plain-text and Markdown tables of results: words to the left, numbers to the right, ``mean ± half`` for intervals."""

import math
import re
from collections.abc import Mapping, Sequence

from sem3d.reporting.formatting import MISSING, metric_of
from sem3d.reporting.intervals import Interval

Cell = str | int | float | Interval | None
LONGEST_NAME = 250
Table = tuple[list[dict[str, Cell]], list[str]]
"""Rows by column, and the order of the columns."""


def metric_table(metrics: Mapping[str, float]) -> Table:
    """Return one row a metric, rates in percent, as their names then say."""
    shown = {key: metric_of(key, "max", [value]) for key, value in metrics.items()}
    rows: list[dict[str, Cell]] = [
        {"metric": shown[key].named, "value": shown[key].scaled(value)} for key, value in metrics.items()
    ]
    return rows, ["metric", "value"]


def format_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str], *, digits: int = 2) -> str:
    """Return aligned text for a terminal; a row maps column names to cells, absent cells show as a dash.

    Floats and intervals have ``digits`` decimals. No trailing newline.
    """
    body = [[_text(row.get(column), digits) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in [list(columns), *body]) for index in range(len(columns))]
    right = [_is_numeric(rows, column) for column in columns]
    lines = [list(columns), ["─" * width for width in widths], *body]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str], *, digits: int = 2) -> str:
    """Return the same table in Markdown; a bar in a cell is escaped."""
    rules = ["---:" if _is_numeric(rows, column) else "---" for column in columns]
    body = [[_text(row.get(column), digits).replace("|", "\\|") for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(columns), rules, *body])


def table_numbers(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> dict[str, float]:
    """Return the finite numbers of a table by column and row, in names that MLflow takes; what is in percent as a share of 1.

    The first column names the row, and alone the number where the only other column is ``value``.
    """
    first, *others = columns
    numbers = {}
    for row in rows:
        for column in others:
            cell = row.get(column)
            value = cell.mean if isinstance(cell, Interval) else cell
            if isinstance(value, int | float) and math.isfinite(value):
                name = str(row.get(first)) if others == ["value"] else f"{column}/{row.get(first)}"
                numbers[_plain(name)] = value / 100 if "%" in name else float(value)
    return {name: value for name, value in numbers.items() if name}


def _plain(name: str) -> str:
    """Return a name without its unit of percent, of the letters and of the length that MLflow allows."""
    letters = re.sub(r"[^\w\-. :/]", "_", re.sub(r",?\s*\(?%\)?", "", name))
    return "/".join(part.strip() for part in letters.split("/") if part.strip(" ."))[:LONGEST_NAME]


def _text(cell: Cell, digits: int) -> str:
    if cell is None:
        return MISSING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Interval):
        spread = "" if math.isnan(cell.half) else f" ± {cell.half:.{digits}f}"
        return f"{cell.mean:.{digits}f}{spread}"
    if isinstance(cell, int):
        return str(cell)
    return MISSING if math.isnan(cell) else f"{cell:.{digits}f}"


def _is_numeric(rows: Sequence[Mapping[str, Cell]], column: str) -> bool:
    cells = [row[column] for row in rows if row.get(column) is not None]
    return bool(cells) and not any(isinstance(cell, str) for cell in cells)
