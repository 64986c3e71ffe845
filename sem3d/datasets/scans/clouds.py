"""Labelled clouds on disk: made once from an index or from meshes, kept beside the indexes of a storage folder.

=================== =========================================================================================
``clouds.json``     format version, settings, counts, checksums
``parts.parquet``   one row a sample, see :data:`PART_SCHEMA`
``<n>.parquet``     the points of row ``n``, see :data:`POINT_SCHEMA`, or :data:`OBJECT_SCHEMA` where objects are wanted
``quarantine.json`` what the index left out, and scenes and frames whose labels cannot be used
=================== =========================================================================================

They are no part of the index: pretraining, which needs no labels, does not wait for them, and indexes stay what they are.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, UInt8

from sem3d.config import digest
from sem3d.datasets.checked_files import read_rows, write_rows
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, first_reasons
from sem3d.datasets.scans.cloud_sources import CloudSource
from sem3d.datasets.scans.instances import Codes
from sem3d.datasets.scans.labelled_cloud import labelled_cloud
from sem3d.datasets.scans.labelled_scene import CloudConfig, CloudPart, LabelledCloud, LabelledScene
from sem3d.datasets.scans.scene_tasks import each_in_order
from sem3d.datasets.scans.schema import SURFACE_SCHEMA
from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, replaced_folder, write_json
from sem3d.folders import is_there

CLOUDS_FORMAT = 1
REMEDY = "remove its folder, and the same command makes it anew"
PART_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # "train", "val"
        pa.field("file", pa.string(), nullable=False),
        pa.field("written", pa.string(), nullable=False),  # SHA-256 of the file
        pa.field("content", pa.string(), nullable=False),  # 24 hexadecimal digits of points, colours and labels
        pa.field("points", pa.int32(), nullable=False),
        pa.field("labelled", pa.int32(), nullable=False),  # points of the 20 classes
    ]
)
BOXES_SCHEMA = PART_SCHEMA.append(pa.field("boxes", pa.list_(pa.float32()), nullable=False))  # eight numbers each
POINT_SCHEMA = SURFACE_SCHEMA.append(pa.field("label", pa.uint8(), nullable=False))  # train id, 0 where none
OBJECT_SCHEMA = POINT_SCHEMA.append(pa.field("object", pa.uint16(), nullable=False))  # its code, 0 where none


@dataclass(frozen=True)
class Clouds:
    """The labelled clouds of one folder."""

    folder: Path
    parts: pa.Table
    described: str
    """The line of their source, and how many of its scenes have usable labels."""
    untrained: str
    """What to do where none of them trains."""


def ensure_clouds(
    source: CloudSource, storage: str | Path, config: CloudConfig, limit: float, say: Callable[[str], None]
) -> Clouds:
    """Return the labelled clouds of a source, made under ``storage/clouds`` unless they are there.

    Raises :class:`UserError` if no scene is labelled, or if the labels of more than ``limit`` of the scenes cannot be used.
    """
    check_read(source, config)
    key = digest([CLOUDS_FORMAT, source.digest, dataclasses.asdict(config)])
    folder = Path(storage).resolve() / "clouds" / key
    if not stands(folder):
        say(f"labelling points, {source.total} scene{'s' * (source.total != 1)} of {source.root}, in {folder}")
        with replaced_folder(folder, lambda: stands(folder)) as pending:
            refused = folder.with_name(f"{folder.name}.quarantine.json")
            write_clouds(pending, source, config, (limit, refused), say)
    return load_clouds(folder, source)


def stands(folder: Path) -> bool:
    """Return whether labelled clouds are in ``folder``, and all tasks lived that made them."""
    content = read_json(folder / "clouds.json") if is_there(folder / "clouds.json") else {"died": True}
    return not (isinstance(content, dict) and content.get("died"))


def write_clouds(
    folder: Path,
    source: CloudSource,
    config: CloudConfig,
    limit: tuple[float, Path],
    say: Callable[[str], None],
) -> None:
    """Label all scenes and write their parts; ``limit`` is the largest share of unusable ones, and where they are named then."""
    report, frames = QuarantineReport(list(source.unusable), list(source.notes)), []
    parts: list[dict[str, Any]] = []
    usable, died = 0, list[str]()
    for cloud in labelled_clouds(source, config, say, died):
        report.items += [cloud.unusable] if cloud.unusable else []
        report.notes += cloud.notes
        frames += cloud.frames
        usable += bool(cloud.parts)
        for part in cloud.parts:
            parts.append(write_part(folder, f"{len(parts)}.parquet", cloud.scene, part))
    check_usable(source, report, usable, *limit)
    before = QuarantineReport.read(source.left_out) if source.left_out else QuarantineReport()
    QuarantineReport(before.items + report.items + frames, before.notes + report.notes).write(
        folder / "quarantine.json"
    )
    table = pa.Table.from_pylist(parts, BOXES_SCHEMA if "boxes" in parts[0] else PART_SCHEMA)
    content = {
        "format": CLOUDS_FORMAT,
        "config": dataclasses.asdict(config),
        "scenes": source.total,
        "usable": usable,
        "died": died,
        "quarantine": dataclasses.replace(report, items=report.items + frames).counts(),
        "written": write_rows(folder / "parts.parquet", table),
    } | ({"boxes": True} if "boxes" in parts[0] else {})
    write_json(folder / "clouds.json", content)


def check_usable(source: CloudSource, report: QuarantineReport, usable: int, limit: float, path: Path | None) -> None:
    """Raise :class:`UserError` where more than ``limit`` of the scenes cannot be used, which are then named in ``path`` if it is
    given, or where none can.
    """
    check_limit(report, source.total + len(source.unusable), limit, path)
    if not usable:
        reason = first_reasons(report) or source.missing
        raise UserError(f"no labelled scene in {source.root}: {reason}")


def check_trained(train: int, root: str | Path, untrained: str) -> None:
    """Raise :class:`UserError`, with what to do, where no scene that can be used trains."""
    if not train:
        raise UserError(f"no labelled training scene in {root}: {untrained}")


def check_read(source: CloudSource, config: CloudConfig) -> None:
    """Raise :class:`UserError` for a setting that was given and that nothing of this source reads."""
    for name in source.unread:
        given, default = getattr(config, name), getattr(CloudConfig(), name)
        if given != default:
            known = source.described.partition(":")[0]
            raise UserError(f"data.clouds.{name} is {given}, which nothing reads for {known}: leave it at {default}")


def labelled_clouds(
    source: CloudSource, config: CloudConfig, say: Callable[[str], None], died: list[str]
) -> Iterator[LabelledCloud]:
    """Yield the labelled points of all scenes, in order; the names of those whose task dies come into ``died``."""

    def tell(number: int, scene: LabelledCloud) -> None:
        say(f"scene {number}/{source.total}: {sum(len(part.points) for part in scene.parts)} points")

    def dead(_: Path, scene: LabelledScene, __: CloudConfig, reason: str) -> LabelledCloud:
        died.append(scene.scene)
        return LabelledCloud(scene.scene, unusable=Quarantined(scene.named, scene.scene, reason))

    given = ((source.root, scene, config) for scene in source.scenes())
    yield from each_in_order(labelled_cloud, given, source.total, tell, dead)


def write_part(folder: Path, name: str, scene: str, part: CloudPart) -> dict[str, Any]:
    """Write the points of one sample; return its row of ``parts.parquet``."""
    arrays = [part.points, part.colors, part.labels] + ([] if part.objects is None else [part.objects])
    columns = [*part.points.T, *part.colors.T, *arrays[2:]]
    schema = POINT_SCHEMA if part.objects is None else OBJECT_SCHEMA
    boxes = b"" if part.boxes is None else part.boxes.tobytes()
    content = hashlib.sha256(b"".join(array.tobytes() for array in arrays) + boxes)
    row = {
        "scene": scene,
        "split": part.split,
        "file": name,
        "written": write_rows(folder / name, pa.table([pa.array(one) for one in columns], schema=schema)),
        "content": content.hexdigest()[:24],
        "points": len(part.points),
        "labelled": int(np.count_nonzero(part.labels)),
    }
    return row if part.boxes is None else row | {"boxes": part.boxes.ravel().tolist()}


def load_clouds(folder: Path, source: CloudSource) -> Clouds:
    """Return the clouds in ``folder``, made of ``source``.

    Raises :class:`UserError` where they are not what was written.
    """
    content = read_json(folder / "clouds.json")
    numbers = ("scenes", "usable")
    if not (
        isinstance(content, dict)
        and content.get("format") == CLOUDS_FORMAT
        and all(isinstance(content.get(name), int) for name in numbers)
        and isinstance(content.get("written"), str)
        and isinstance(content.get("quarantine"), dict)
    ):
        raise UserError(f"{folder / 'clouds.json'} is damaged: {REMEDY}")
    schema = BOXES_SCHEMA if content.get("boxes") else PART_SCHEMA
    parts = read_rows(folder / "parts.parquet", schema, content["written"], REMEDY)
    line = f"{source.described}; {content['usable']} of {content['scenes']} scenes have usable labels"
    reasons = ", ".join(f"{count} {reason}" for reason, count in content["quarantine"].items())
    return Clouds(folder, parts, f"{line}, in quarantine: {reasons}" if reasons else line, source.untrained)


def read_points(
    path: Path, written: str
) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"], UInt8[np.ndarray, " point"]]:
    """Return points in metres, colours and train ids of one sample, whose file had the SHA-256 ``written``.

    Raises :class:`BadSample` if the file cannot be read or is another one.
    """
    columns = read_columns(path, POINT_SCHEMA, written)
    return np.stack(columns[:3], axis=1), np.stack(columns[3:6], axis=1), columns[6]


def read_points_of_objects(
    path: Path, written: str
) -> tuple[Float32[np.ndarray, "point 3"], UInt8[np.ndarray, "point 3"], Codes]:
    """Return points in metres, colours and codes of objects of one sample, as :func:`read_points` does."""
    columns = read_columns(path, OBJECT_SCHEMA, written)
    return np.stack(columns[:3], axis=1), np.stack(columns[3:6], axis=1), columns[7]


def read_columns(path: Path, schema: pa.Schema, written: str) -> list[np.ndarray]:
    """Return the columns of one sample's file; raises :class:`BadSample` where it is not what was written."""
    try:
        table = read_rows(path, schema, written, REMEDY)
    except UserError as error:
        raise BadSample(str(path), f"unreadable cloud: {error}") from error
    return [table[name].to_numpy() for name in schema.names]
