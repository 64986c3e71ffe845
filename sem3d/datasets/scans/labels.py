"""ScanNet's label numbers: raw categories -> NYU40 ids -> the 20 classes of the benchmark.

An official ``label-filt`` PNG is 16 bit and holds category ids of ``scannetv2-labels.combined.tsv``; the 8-bit PNGs of
scannet_frames_25k and the ``label`` of a ``.labels.ply`` hold NYU40 ids (ScanNet/ScanNet, BenchmarkScripts).
"""

import colorsys
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8, UInt16

from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import lines_of, read_text

LABEL_TABLE = "scannetv2-labels.combined.tsv"
LARGEST_NYU40 = 40
OUTSIDE = 255  # stands for a category that the table does not hold

NYU40_IDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
"""NYU40 id of each train id; 0 is ignored (Pri3D, downstream/semseg: 21 outputs, class 0 without weight)."""

CLASS_NAMES = (
    "ignored",
    "wall",
    "floor",
    "cabinet",
    "bed",
    "chair",
    "sofa",
    "table",
    "door",
    "window",
    "bookshelf",
    "picture",
    "counter",
    "desk",
    "curtain",
    "refrigerator",
    "shower curtain",
    "toilet",
    "sink",
    "bathtub",
    "otherfurniture",
)
"""Name of each train id."""


def class_palette(classes: int = 21) -> UInt8[np.ndarray, "class 3"]:
    """Return a colour for each class: black for what is ignored, then hues a golden angle apart in three strengths."""
    strengths = ((0.75, 0.95), (0.45, 0.85), (0.9, 0.6))
    hues = [(0.07 + 0.381966 * step) % 1.0 for step in range(classes - 1)]
    colors = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(hue, *strengths[step % 3]) for step, hue in enumerate(hues)]
    return np.rint(np.array(colors) * 255).astype(np.uint8)


def label_fault(labels: Shaped[np.ndarray, "..."], what: str = "pixels", largest: int = LARGEST_NYU40) -> str | None:
    """Return what is wrong with ids of ``what``: None, or how many lie above the ``largest`` and which."""
    outside = labels[labels > largest]
    if not outside.size:
        return None
    ids = ", ".join(map(str, np.unique(outside)[:5]))
    return f"label ids outside the table: {outside.size} {what}, ids {ids}"


def read_label_table(path: str | Path) -> UInt8[np.ndarray, "category"]:
    """Return NYU40 id by ScanNet category id; 255 where the table has no such category.

    Columns are found by name, since revisions of the table differ in their order. An id may stand in several rows, of which
    the last counts, as in ScanNet's own ``convert_scannet_label_image.py``: its table has one row a raw category, and ids 107,
    188 and 385 are of two NYU40 ids. Raises :class:`UserError` for a missing file or column, a row that is cut short or has
    cells to spare, an id that is not a number, a raw category (an id, in a table without them) of two NYU40 ids.
    """
    if not is_there(Path(path)):
        raise UserError(f"no label table {path}: 16-bit label images need ScanNet's {LABEL_TABLE}")
    reader = csv.DictReader(lines_of(read_text(path)), delimiter="\t")
    try:
        missing = {"id", "nyu40id"} - set(reader.fieldnames or ())
        if missing:
            raise UserError(
                f"{path} is no ScanNet label table: column {', '.join(sorted(missing))} is missing: fetch it again"
            )
        ids = list(checked_rows(reader, path))
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is no ScanNet label table: {error}") from error
    if not ids or not all(0 <= category < 65536 and 0 <= nyu40 <= LARGEST_NYU40 for category, nyu40 in ids):
        raise UserError(
            f"{path} is no ScanNet label table: ids outside 0..65535 and 0..{LARGEST_NYU40}, or no rows: fetch it again"
        )
    table = np.full(max(category for category, _ in ids) + 1, OUTSIDE, np.uint8)
    for category, nyu40 in ids:
        table[category] = nyu40
    table[0] = 0
    return table


def checked_rows(reader: "csv.DictReader[str]", path: str | Path) -> Iterator[tuple[int, int]]:
    """Yield category and NYU40 id of each row; raises :class:`UserError` where one raw category has two NYU40 ids."""
    nyu40_of: dict[str, int] = {}
    for row in reader:
        category, nyu40 = numbers_of(row, f"{path}, line {reader.line_num}")
        name = row.get("raw_category") or f"id {category}"
        if nyu40_of.setdefault(name, nyu40) != nyu40:
            raise UserError(
                f"{path} is no ScanNet label table: line {reader.line_num}: {name} has NYU40 id {nyu40}, and "
                f"{nyu40_of[name]} in a line before it: fetch it again"
            )
        yield category, nyu40


def numbers_of(row: dict[Any, Any], where: str) -> tuple[int, int]:
    """Return category and NYU40 id of a row; raises :class:`UserError` where its cells cannot stand in their columns."""
    if row["id"] is None or row["nyu40id"] is None:
        raise UserError(f"{where}: the row is cut short; take ScanNet's {LABEL_TABLE} as it is")
    if any(row.get(None, ())):
        raise UserError(f"{where}: the row has more cells than columns; take ScanNet's {LABEL_TABLE} as it is")
    if any("\t" in cell for cell in row.values() if isinstance(cell, str)):
        raise UserError(f"{where}: a quotation mark joins rows; take ScanNet's {LABEL_TABLE} as it is")
    return int(row["id"]), int(row["nyu40id"] or 0)


def nyu40_of_categories(
    categories: UInt16[np.ndarray, "*axes"], table: UInt8[np.ndarray, "category"]
) -> UInt8[np.ndarray, "*axes"]:
    """Return NYU40 ids of ScanNet category ids; 255 for a category outside ``table``, which :func:`label_fault` then
    counts.
    """
    inside = categories < len(table)
    return np.where(inside, table[np.where(inside, categories, 0)], np.uint8(OUTSIDE))
