"""Posed views of many objects as one data set in the SRN layout, by a Ray Data job of a task an object.

::

    {train,val,test}/<name>/   (:mod:`sem3d.datasets.objects.srn_layout`); test/<name>/depth/ too, which no format counts:
                               what networks learn from is the same without it
    classes.txt                names of the classes, background first
    posed_shapes.json          digest of the settings, counts
    quarantine.json            objects that could not be drawn, and notes

The folder appears whole; a second call goes on where the first stopped, or finds it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sem3d.config import digest
from sem3d.datasets.objects.sketch_files import write_depth
from sem3d.datasets.objects.srn_write import write_classes, write_instance
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, faults_of
from sem3d.datasets.tasks import in_tasks
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, whole_folder, write_json
from sem3d.geometry.sphere_cameras import square_intrinsics
from sem3d.worlds.posed.subject import Subject, ViewsConfig, depths_of, poses_of, views_of

FORMAT = 1
SUMMARY = "posed_shapes.json"
DONE = ".drawn"
"""Name of the file in an object's folder that says that all its views are there."""


@dataclass(frozen=True)
class PosedSummary:
    """Outcome of :func:`write_posed`, made or found."""

    out: Path
    objects: dict[str, int]
    """By split."""
    report: QuarantineReport
    reused: bool


def write_posed(
    out: str | Path,
    rows: Sequence[dict[str, Any]],
    build: Callable[[dict[str, Any]], tuple[Subject, list[str]]],
    classes: Sequence[str],
    config: ViewsConfig,
    settings: Any,
) -> PosedSummary:
    """Draw the objects of ``rows``, JSON objects with ``split`` and ``name``, into ``out``, which all Ray workers must see.

    ``build`` makes the subject of a row, and notes on it, in a task; ``settings`` identify what is drawn. Raises
    :class:`UserError` for other content in ``out`` or for more than half of the objects that cannot be drawn.
    """

    def draw(folder: Path, row: dict[str, Any]) -> list[str]:
        subject, notes = build(row)
        write_views(folder, subject, config, row["split"], row["name"])
        return notes

    return write_drawn(out, rows, draw, classes, digest([FORMAT, settings, vars(config), list(classes)]))


def write_views(folder: Path, subject: Subject, config: ViewsConfig, split: str, name: str) -> None:
    """Write the views of an object, with their depth where it is scored on."""
    poses = poses_of(config, split, name)
    write_instance(folder, square_intrinsics(config.side), views_of(subject, config, poses))
    if split == "test":
        for number, depth in enumerate(depths_of(subject, config, poses)):
            write_depth(folder, number, depth)


def write_drawn(
    out: str | Path,
    rows: Sequence[dict[str, Any]],
    draw: Callable[[Path, dict[str, Any]], list[str]],
    classes: Sequence[str],
    key: str,
    beside: Callable[[Path], None] = lambda _: None,
) -> PosedSummary:
    """Have ``draw`` put the instance of each row into its folder, in a task, and return notes on it; otherwise as above.

    ``beside`` puts what is of all objects into the whole folder; ``key`` identifies everything that decides what is drawn.
    """
    out = Path(out).absolute()
    if out.exists():
        return found(out, key)
    with whole_folder(out, out.with_name(f".{out.name}.building-{key}")) as building:
        report, counts = QuarantineReport(), Counter()
        for row, told in zip(rows, in_tasks(lambda row: draw_row(building, row, draw), list(rows)), strict=True):
            if told["fault"]:
                report.items.append(Quarantined(row["name"], row["split"], told["fault"]))
                continue
            counts[row["split"]] += 1
            report.notes += [Quarantined(row["name"], row["split"], note) for note in told["notes"]]
        check_limit(report, len(rows), 0.5, out.with_name(f"{out.name}.quarantine.json"))
        write_classes(building, classes)
        beside(building)
        report.write(building / "quarantine.json")
        write_json(building / SUMMARY, {"digest": key, "objects": dict(counts)})
    return PosedSummary(out, dict(counts), report, reused=False)


def draw_row(building: Path, row: dict[str, Any], draw: Callable[[Path, dict[str, Any]], list[str]]) -> dict[str, Any]:
    """Run one task: draw an object unless it is there; returns what is wrong with it, and notes."""
    folder = building / row["split"] / row["name"]
    done = folder / DONE
    if done.exists():
        return told_by(done)
    try:
        with faults_of(row["name"]):
            notes = draw(folder, row)
    except BadSample as error:
        return {"fault": error.reason, "notes": []}
    told = {"fault": "", "notes": notes}
    write_json(done, told)
    return told


def told_by(done: Path) -> dict[str, Any]:
    """Return what the drawing of an object left; raises :class:`UserError` where that is something else."""
    told = read_json(done)
    if not isinstance(told, dict) or not isinstance(told.get("fault"), str) or not isinstance(told.get("notes"), list):
        raise UserError(f"{done} is not what was written: remove the folder {done.parent}")
    return told


def found(out: Path, key: str) -> PosedSummary:
    """Return what is in ``out`` already; :class:`UserError` if it is something else."""
    try:
        content = read_json(out / SUMMARY)
        said, objects = content["digest"], {str(split): int(count) for split, count in content["objects"].items()}
    except (UserError, KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise UserError(f"{out} exists and holds no posed views: choose another folder or remove it") from error
    if said != key:
        raise UserError(f"{out} holds posed views of other objects or settings: choose another folder")
    return PosedSummary(out, objects, QuarantineReport.read(out / "quarantine.json"), reused=True)
