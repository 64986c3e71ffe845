"""From folders in the SRN layout to one table that training opens: cameras, and the classes that each mask shows.

The folder of an index::

    posed_views.json    format, data root, class names by category, digest of the inputs, notes on what is there
    rows.parquet        one row an instance, see POSED_SCHEMA
    quarantine.json     instances that cannot be used, each with the first fault that was met

Pictures stay where they are; a training reads them from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sem3d.config import digest
from sem3d.datasets.checked_files import read_rows, write_rows
from sem3d.datasets.objects.part_classes import MOST_CLASSES, class_names
from sem3d.datasets.objects.srn_cameras import poses_fault, read_intrinsics, read_pose
from sem3d.datasets.objects.srn_layout import (
    SrnFolder,
    SrnView,
    find_instances,
    intrinsics_path,
    read_labels,
    read_picture,
    same_size,
    views_of_instance,
)
from sem3d.datasets.pictures import picture_header
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, faults_of
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, replaced_folder, write_json
from sem3d.folders import file_states, is_there

FORMAT = 1
CONTENT, ROWS, QUARANTINE = "posed_views.json", "rows.parquet", "quarantine.json"
SAID_EVERY = 200
"""Instances between two lines on the progress of a preparation."""
POSED_SCHEMA = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("instance", pa.int64(), nullable=False),  # counts within its class and split
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
    instances, for labels without known classes, or for more than ``quarantine_limit`` unusable instances.
    """
    root = Path(root).resolve()
    key = digest([FORMAT, file_states(root)])
    folder = Path(storage).absolute() / "posed_views" / key
    if not check and answers(folder, key):
        return load_posed_index(folder, reused=True)
    found = find_instances(root)
    classes = {category: class_names(root, category) for category in dict.fromkeys(one.category for one in found)}
    rows, report = read_instances(root, found, classes, check, say)
    refused = folder.with_name(f"{folder.name}.{QUARANTINE}")
    check_limit(report, len(found), quarantine_limit, None if check else refused)
    table = pa.Table.from_pylist(rows, POSED_SCHEMA)
    if check:
        return PosedIndex(folder, root, table, classes, key, report)
    with replaced_folder(folder, lambda: answers(folder, key)) as building:
        written = write_rows(building / ROWS, table)
        report.write(building / QUARANTINE)
        content = {"format": FORMAT, "root": str(root), "inputs": key, "classes": classes, "files": {ROWS: written}}
        write_json(building / CONTENT, content)
    return load_posed_index(folder)


def answers(folder: Path, key: str) -> bool:
    """Tell whether ``folder`` is an index of these files."""
    path = folder / CONTENT
    content = read_json(path) if is_there(path) else None
    return isinstance(content, dict) and content.get("inputs") == key


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
    """Return a row for each usable instance, and what is wrong with the others."""
    report, rows = QuarantineReport(), []
    counts: dict[tuple[str, str], int] = {}
    for number, one in enumerate(found):
        if number and number % SAID_EVERY == 0:
            say(f"{number} of {len(found)} instances read, {len(report)} cannot be used")
        scene = f"{one.category}{'.' if one.category else ''}{one.split}/{one.name}"
        try:
            with faults_of(str(one.path)):
                row = instance_row(root, one, len(classes[one.category]), check)
        except BadSample as error:
            report.items.append(Quarantined.of(error, scene))
            continue
        place = (one.category, one.split)
        rows.append(row | {"instance": counts.get(place, 0)})
        counts[place] = counts.get(place, 0) + 1
    return rows, report


def instance_row(root: Path, one: SrnFolder, classes: int, check: bool) -> dict[str, Any]:
    """Return the row of an instance but for its number; raises :class:`BadSample` for the first fault in its files."""
    views = views_of_instance(one)
    path = intrinsics_path(one)
    camera = read_intrinsics(path)
    size = picture_header(views[0].picture)[:2]
    for view in views:
        same_size(view.picture, picture_header(view.picture)[:2], size)
    poses = np.stack([read_pose(view.pose, camera.inverse) for view in views])
    if fault := poses_fault(poses):
        raise BadSample(str(one.path), fault)
    if views[0].labels is not None and not classes:
        raise UserError(
            f"{root} has labels, but the names of their classes are not known: write them into {root / 'classes.txt'}, one "
            "a line, background first"
        )
    for view in views if check else ():
        read_picture(view.picture)
    return {
        "category": one.category,
        "split": one.split,
        "name": one.name,
        "height": size[0],
        "width": size[1],
        "intrinsics": camera.of_pictures(str(path), size).ravel().tolist(),
        "pictures": [view.picture.relative_to(root).as_posix() for view in views],
        "labels": ["" if view.labels is None else view.labels.relative_to(root).as_posix() for view in views],
        "classes": [classes_shown(view, classes, size) for view in views],
        "poses": poses.ravel().tolist(),
    }


def classes_shown(view: SrnView, classes: int, size: tuple[int, int]) -> int:
    """Return the classes of a view's mask as bits, 0 where it has none; raises :class:`BadSample` for one of another size."""
    if view.labels is None:
        return 0
    labels = read_labels(view.labels, min(classes, MOST_CLASSES))
    same_size(view.labels, labels.shape, size)
    return sum(1 << int(number) for number in np.unique(labels) if number >= 0)
