"""Label sets of a user's own: a table of ids, names and colours in the place of ScanNet's 20 classes."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sem3d.config import FilePath, digest
from sem3d.datasets.scans.class_lists import LABEL_SETS, Classes, LabelSet
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.errors import UserError
from sem3d.texts import lines_of, read_text

LARGEST_ID = 255
"""Label images of one's own have 8 bits."""
NEEDED, COLOR = ("id", "name"), "color"
LARGEST_TABLE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OwnClasses:
    """A label set of your own, in place of ScanNet's 20 classes.

    What the table holds becomes part of the settings: a run and its checkpoints know their classes without the file, and another
    table makes another run.
    """

    file: FilePath = ""
    """Table of the classes, .csv or .json: id (1 to 255, as label images and meshes have it), name and, where wanted, color
    (#rrggbb) of each; empty: ScanNet's 20 classes."""
    ids: tuple[int, ...] = ()
    """Ids of the classes; empty: those of the table."""
    names: tuple[str, ...] = ()
    """Names of the classes; empty: those of the table."""
    colors: tuple[str, ...] = ()
    """Colours of the classes; empty: those of the table, or hues far apart."""
    others: Literal["ignored", "refused"] = "ignored"
    """Ids of the data that are none of these: ignored, as 0 is, or refused, which makes their images and scenes unusable."""

    def __post_init__(self) -> None:
        """Take the content of the table, unless it is given; raises :class:`UserError` for what is no set of classes."""
        if self.file and not self.ids:
            for name, values in read_table(Path(self.file).expanduser()).items():
                object.__setattr__(self, name, values)
        check_own(self, self.file or "data.labels.ids")

    @property
    def label_set(self) -> LabelSet | None:
        """Return the set, None where no classes are given."""
        if not self.ids:
            return None
        colors = ((0, 0, 0), *map(rgb, self.colors)) if self.colors else ()
        names, ids = (CLASS_NAMES[0], *self.names), (0, *self.ids)
        return LabelSet(names, ids, LARGEST_ID, colors, strict=self.others == "refused")

    @property
    def keys(self) -> list[str]:
        """Return what tells data with these labels from data with others: nothing for ScanNet's classes."""
        return [digest([self.ids, self.names, self.others])] if self.ids else []

    def described(self) -> str:
        """Return a line on the classes and on what becomes of other ids."""
        return f"labels: {len(self.ids)} classes of {self.file or 'data.labels'}, id 0 is ignored, other ids are {self.others}"


def label_set_of(data: Any) -> LabelSet:
    """Return the label set of the data of an experiment: one's own where it is given, else that of its data set."""
    own = data.labels.label_set if isinstance(getattr(data, "labels", None), OwnClasses) else None
    known: Classes = getattr(data, "classes", "scannet")
    return own or LABEL_SETS[known]


def check_own(classes: OwnClasses, source: str) -> None:
    """Raise :class:`UserError` that names ``source`` where ids, names and colours are no set of classes."""
    ids, names, colors = classes.ids, classes.names, classes.colors
    if len(ids) != len(names) or len(colors) not in (0, len(ids)):
        raise UserError(
            f"{source}: {len(ids)} ids, {len(names)} names, {len(colors)} colours: give one of each a class"
        )
    for what, values in (("id", ids), ("name", names)):
        if twice := [value for value, count in Counter(values).items() if count > 1]:
            raise UserError(f"{source}: two classes have the {what} {twice[0]}: give each its own")
    for number, name in zip(ids, names, strict=True):
        if not 1 <= number <= LARGEST_ID:
            raise UserError(
                f"{source}: {name} has the id {number}: ids are 1 to {LARGEST_ID}, 0 is what is not labelled"
            )
        if not name.strip() or not name.isprintable() or name == CLASS_NAMES[0]:
            raise UserError(f"{source}: id {number} has the name {name!r}: give it a word of its own")
    for name, color in zip(names, colors, strict=False):
        if not re.fullmatch("#[0-9a-fA-F]{6}", color):
            raise UserError(f"{source}: {name} has the colour {color!r}: write it as #rrggbb, each part 00 to ff")


def rgb(color: str) -> tuple[int, int, int]:
    """Return a colour, ``#rrggbb``, as numbers."""
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def read_table(path: Path) -> dict[str, tuple[Any, ...]]:
    """Return ids, names and colours of a table of classes; raises :class:`UserError` that says what is wrong in which row."""
    rows = list(rows_of(path))
    if not rows:
        raise UserError(f"{path} has no class: give id, name and color of each in a row")
    for where, row in rows:
        if missing := [name for name in NEEDED if row.get(name) in (None, "")]:
            raise UserError(
                f"{where}: {missing[0]} is missing: a class has {', '.join(NEEDED)} and, where wanted, {COLOR}"
            )
        if None in row:
            raise UserError(f"{where}: the row has more cells than columns")
        if unknown := sorted(row.keys() - {*NEEDED, COLOR}):
            raise UserError(f"{where}: unknown column {unknown[0]}: there are {', '.join(NEEDED)} and {COLOR}")
    colored = [bool(row.get(COLOR)) for _, row in rows]
    if any(colored) and not all(colored):
        raise UserError(f"{rows[colored.index(False)][0]}: {COLOR} is missing: give all classes one, or none")
    return {
        "ids": tuple(id_of(row["id"], where) for where, row in rows),
        "names": tuple(str(row["name"]).strip() for _, row in rows),
        "colors": tuple(str(row[COLOR]).strip() for _, row in rows) if all(colored) else (),
    }


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row of a table stands, and its cells by column; raises :class:`UserError` for what is no table."""
    text = read_text(path, LARGEST_TABLE)
    match path.suffix.lower():
        case ".csv":
            reader = csv.DictReader(lines_of(text), skipinitialspace=True)
            try:
                for row in reader:
                    yield f"{path}, line {reader.line_num}", {name: cell for name, cell in row.items()}
            except csv.Error as error:
                raise UserError(f"{path}, line {reader.line_num}: {error}") from error
        case ".json":
            try:
                content = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path} is no JSON: {error}") from error
            if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
                raise UserError(
                    f'{path} must be a list of classes, such as [{{"id": 1, "name": "wall", "color": "#aab7c4"}}]'
                )
            yield from ((f"{path}, class {number}", row) for number, row in enumerate(content, start=1))
        case _:
            raise UserError(f"{path} must end in .csv or .json: data.labels.file is a table of id, name and color")


def id_of(cell: Any, where: str) -> int:
    """Return an id; raises :class:`UserError` for what is no whole number."""
    written = str(cell).strip()
    if isinstance(cell, bool) or not re.fullmatch("[0-9]{1,9}", written):
        raise UserError(f"{where}: id is {written}: it must be a whole number from 1 to {LARGEST_ID}")
    return int(written)
