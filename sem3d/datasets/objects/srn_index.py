"""From folders in the SRN layout to one table that training opens: cameras, and the classes that each mask shows.

The folder of an index::

    posed_views.json    format, data root, class names by category, digest of the inputs, notes on what is there
    rows.parquet        one row an instance, see POSED_SCHEMA
    quarantine.json     views that cannot be used, and instances with too few others, each with the first fault that was met

Pictures stay where they are; a training reads them from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sem3d.config import digest
from sem3d.datasets.checked_files import read_rows, write_rows
from sem3d.datasets.objects.part_classes import class_names
from sem3d.datasets.objects.srn_instance import instance_row, views_there
from sem3d.datasets.objects.srn_layout import SrnFolder, find_instances
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, faults_of
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, replaced_folder, write_json
from sem3d.folders import file_states, is_there

FORMAT = 2
STATES = 1
"""What the digest of the files is made of; that of an index tells data apart, whatever format it has."""
CONTENT, ROWS, QUARANTINE = "posed_views.json", "rows.parquet", "quarantine.json"
SAID_EVERY = 200
"""Instances between two lines on the progress of a preparation."""
POSED_SCHEMA = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("instance", pa.int64(), nullable=False),  # counts within its class and split
        pa.field("identity", pa.int64(), nullable=False),  # tells it from any other, in other data too
        pa.field("height", pa.int64(), nullable=False),
        pa.field("width", pa.int64(), nullable=False),
        pa.field("intrinsics", pa.list_(pa.float64()), nullable=False),  # 9, of pictures of this size
        pa.field("pictures", pa.list_(pa.string()), nullable=False),  # one a view, below the data's root
        pa.field("labels", pa.list_(pa.string()), nullable=False),  # "" where there is none
        pa.field("classes", pa.list_(pa.int64()), nullable=False),  # bit c: the mask shows class c; 0: no mask
        pa.field("poses", pa.list_(pa.float64()), nullable=False),  # 16 a view
    ]
)


@dataclass(frozen=True)
class PosedIndex:
    """The usable instances of data in the SRN layout."""

    folder: Path
    root: Path
    table: pa.Table
    classes: dict[str, tuple[str, ...]]
    """Names of the classes by category, background first."""
    inputs: str
    """Digest of the files it was made from."""
    report: QuarantineReport
    reused: bool = False


def index_posed_views(
    root: str | Path,
    storage: str | Path,
    *,
    check: bool = False,
    quarantine_limit: float = 0.1,
    say: Callable[[str], None] = lambda _: None,
) -> PosedIndex:
    """Return the index of the instances below ``root``, made under ``storage/posed_views`` unless it is there.

    With ``check`` every picture is decoded too and nothing is written. Raises :class:`UserError` for a folder without
    instances, for labels without known classes, or for more than ``quarantine_limit`` unusable views.
    """
    root = Path(root).resolve()
    inputs = digest([STATES, file_states(root)])
    folder = Path(storage).absolute() / "posed_views" / digest([FORMAT, inputs])
    if not check and answers(folder, inputs):
        return load_posed_index(folder, reused=True)
    found = find_instances(root)
    classes = {category: class_names(root, category) for category in dict.fromkeys(one.category for one in found)}
    rows, report = read_instances(root, found, classes, check, say)
    refused = folder.with_name(f"{folder.name}.{QUARANTINE}")
    views = len(report) + sum(len(row["pictures"]) for row in rows)
    check_limit(report, views, quarantine_limit, None if check else refused)
    table = pa.Table.from_pylist(rows, POSED_SCHEMA)
    if check:
        return PosedIndex(folder, root, table, classes, inputs, report)
    with replaced_folder(folder, lambda: answers(folder, inputs)) as building:
        written = write_rows(building / ROWS, table)
        report.write(building / QUARANTINE)
        content = {"format": FORMAT, "root": str(root), "inputs": inputs, "classes": classes, "files": {ROWS: written}}
        write_json(building / CONTENT, content)
    return load_posed_index(folder)


def answers(folder: Path, inputs: str) -> bool:
    """Tell whether ``folder`` is an index of these files."""
    path = folder / CONTENT
    content = read_json(path) if is_there(path) else None
    return isinstance(content, dict) and content.get("inputs") == inputs


def load_posed_index(folder: Path, reused: bool = False) -> PosedIndex:
    """Return the index in ``folder``; raises :class:`UserError` where it is not what was written."""
    path = folder / CONTENT
    content = read_json(path)
    try:
        if content["format"] != FORMAT:
            raise UserError(f"{path} is of format {content['format']}, not {FORMAT}: prepare it again")
        classes = {str(name): tuple(str(one) for one in names) for name, names in content["classes"].items()}
        root, inputs, written = Path(content["root"]), str(content["inputs"]), str(content["files"][ROWS])
    except (TypeError, LookupError, AttributeError, ValueError) as error:
        raise UserError(f"{path} is damaged: prepare it again") from error
    table = read_rows(folder / ROWS, POSED_SCHEMA, written)
    return PosedIndex(folder, root, table, classes, inputs, QuarantineReport.read(folder / QUARANTINE), reused)


def read_instances(
    root: Path,
    found: list[SrnFolder],
    classes: dict[str, tuple[str, ...]],
    check: bool,
    say: Callable[[str], None],
) -> tuple[list[dict[str, Any]], QuarantineReport]:
    """Return a row for each usable instance, and what is wrong with the others and with single views."""
    report, rows = QuarantineReport(), []
    counts: dict[tuple[str, str], int] = {}
    for number, one in enumerate(found):
        if number and number % SAID_EVERY == 0:
            say(f"{number} of {len(found)} instances read, {len(report)} views cannot be used")
        scene = f"{one.category}{'.' if one.category else ''}{one.split}/{one.name}"
        try:
            with faults_of(str(one.path)):
                row, faults = instance_row(root, one, len(classes[one.category]), check)
        except BadSample as error:
            report.items.append(Quarantined.of(error, scene, views_there(one)))
            continue
        report.items += [Quarantined.of(fault, scene) for fault in faults]
        place = (one.category, one.split)
        rows.append(row | {"instance": counts.get(place, 0)})
        counts[place] = counts.get(place, 0) + 1
    return rows, report
