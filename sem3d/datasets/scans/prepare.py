"""From a folder of RGB-D scans to an index: find frames, validate, fuse surfaces, pair frames, and say what was left out.

Scenes are independent (:mod:`sem3d.datasets.scans.prepare_scene`, :mod:`sem3d.datasets.scans.scene_tasks`).
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sem3d.config import digest
from sem3d.datasets.checked_files import write_rows
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit, first_reasons
from sem3d.datasets.scans.copies import without_copies, without_namesakes
from sem3d.datasets.scans.index import Index, PrepareConfig, load_index, read_index_json
from sem3d.datasets.scans.layouts import FrameRecord, detect_layout, load_layout, survey
from sem3d.datasets.scans.prepare_scene import PreparedScene, prepare_scene, unprepared
from sem3d.datasets.scans.scene_tasks import each_in_order
from sem3d.datasets.scans.schema import FORMAT_VERSION, FRAME_SCHEMA, PAIR_SCHEMA, SCENE_SCHEMA
from sem3d.datasets.scans.splits import assign_splits, by_scene, listed_elsewhere, read_split_lists
from sem3d.datasets.scans.surface import write_surface
from sem3d.errors import UserError
from sem3d.files import replaced_folder, write_json
from sem3d.folders import file_states


def prepare(
    root: str | Path,
    out: str | Path,
    config: PrepareConfig,
    check: bool = False,
    say: Callable[[str], None] = lambda _: None,
    inputs: str = "",
) -> Index:
    """Make the index of the data at ``root`` in the folder ``out``, whole or not at all, and load it.

    ``check`` also decodes every colour, label and instance image. An index in ``out`` of the same files and settings is
    reused (``Index.reused``). ``say`` receives lines of progress, one a scene or every few seconds. ``inputs`` is
    :func:`inputs_digest` where the caller has taken it, so that the data tree is not walked again. Raises :class:`UserError` for
    a missing or unknown folder, if no frame is usable, or if more than ``config.quarantine_limit`` of the items are not.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    if not root.is_dir():
        raise UserError(f"no data folder {root}: name the folder of the scans")
    if out.is_relative_to(root):
        raise UserError(f"the index {out} would lie inside the data {root}: choose another --out")
    inputs = inputs or inputs_digest(root, config)
    if answers(out, inputs, check):
        return dataclasses.replace(load_index(out), reused=True)
    if read_index_json(out) is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is no index: choose another --out")
    layout = config.layout if config.layout != "auto" else detect_layout(root)
    records, report = scan(root, layout, config)
    refused = out.with_name(f"{out.name}.quarantine.json")
    check_limit(report, len(records) + len(report), config.quarantine_limit, refused)
    say(f"preparing {len(records)} frames of {root} in {out}")
    stride = config.stride or load_layout(layout).stride
    if stride > 1 and len(records) == len({record.scene for record in records}):
        say(
            f"no scene has a second frame at a stride of {stride}: --data.prepare.stride 1 (jobs.prepare --stride 1) takes all"
        )
    with replaced_folder(out, lambda: answers(out, inputs, check)) as folder:
        (folder / "surface").mkdir()
        content = write_index(folder, root, records, report, config, check, say, refused)
        write_json(folder / "index.json", content | {"layout": layout, "inputs": inputs})
    return load_index(out)


def answers(out: Path, inputs: str, check: bool) -> bool:
    """Tell if ``out`` is an index of these inputs, of which no task died, and a checked one if ``check``."""
    content = read_index_json(out) or {"died": True}
    return content.get("inputs") == inputs and not content.get("died") and bool(content.get("checked") or not check)


def scan(root: Path, layout: str, config: PrepareConfig) -> tuple[list[FrameRecord], QuarantineReport]:
    """List all frames of the layout with their splits, and what could not even be found whole."""
    found = load_layout(layout)
    items = list(found.scan(root, config.stride or found.stride))
    places = survey(root)
    faults = places.unreadable + [item for item in items if isinstance(item, Quarantined)]
    records, copies = without_copies(root, [item for item in items if isinstance(item, FrameRecord)])
    records, namesakes = without_namesakes(records)
    if config.depth_scale:
        records = [dataclasses.replace(record, depth_scale=config.depth_scale) for record in records]
    report = QuarantineReport(faults + namesakes, places.aliases + copies)
    split_of = read_split_lists(root, config.splits)
    report.notes += listed_elsewhere(split_of, {record.scene for record in records})
    records, unlisted = assign_splits(records, split_of, config.val_fraction, config.seed)
    report.items += unlisted
    report.notes += [
        Quarantined(scene[0].color, scene[0].scene, scene[0].note) for scene in by_scene(records) if scene[0].note
    ]
    return records, report


def write_index(
    folder: Path,
    root: Path,
    records: list[FrameRecord],
    report: QuarantineReport,
    config: PrepareConfig,
    check: bool,
    say: Callable[[str], None],
    refused: Path,
) -> dict[str, Any]:
    """Prepare all scenes and write tables, surfaces and ``quarantine.json``; returns what ``index.json`` says of them.

    ``refused`` takes the quarantine report where too much is in it.
    """
    frames: list[dict[str, Any]] = []
    scenes: list[dict[str, Any]] = []
    pairs: list[pa.Table] = []
    identity, files = hashlib.sha256(), {}
    groups, died = by_scene(records), list[str]()
    given = ((root, group, config, check) for group in groups)

    def tell(number: int, scene: PreparedScene) -> None:
        say(f"scene {number}/{len(groups)}: {len(scene.records)} frames, {len(scene.anchor)} pairs")

    def dead(_: Path, group: list[FrameRecord], *__: Any, reason: str) -> PreparedScene:
        died.append(group[0].scene)
        return unprepared(group, reason)

    for scene in each_in_order(prepare_scene, given, len(groups), tell, dead):
        report.items += scene.quarantined
        if not scene.records:
            continue
        name = scene.records[0].scene
        surface = f"{name}.parquet" if len(scene.points) else ""
        if surface:
            files[f"surface/{surface}"] = write_surface(folder / "surface" / surface, scene.points, scene.colors)
            identity.update(scene.points.tobytes() + scene.colors.tobytes())
        pairs.append(pair_table(name, scene, len(frames)))
        frames += [record.row() for record in scene.records]
        splits = ",".join(sorted({record.split for record in scene.records}))
        scenes.append({"scene": name, "split": splits, "frames": len(scene.records), "surface": surface})
    check_limit(report, len(frames) + len(report), config.quarantine_limit, refused)
    if not frames:
        report.write(refused)
        raise UserError(f"no usable frame in {root}: {first_reasons(report)}. All are named in {refused}; fix the data")
    tables = {
        "frames": pa.Table.from_pylist(frames, FRAME_SCHEMA),
        "pairs": pa.concat_tables(pairs),
        "scenes": pa.Table.from_pylist(scenes, SCENE_SCHEMA),
    }
    for name, table in tables.items():
        files[f"{name}.parquet"] = write_rows(folder / f"{name}.parquet", table)
        identity.update(table_bytes(table))
    report.write(folder / "quarantine.json")
    return {
        "format": FORMAT_VERSION,
        "root": str(root),
        "digest": identity.hexdigest()[:12],
        "checked": check,
        "died": died,
        "counts": {name: table.num_rows for name, table in tables.items()} | {"quarantined": len(report)},
        "quarantine": report.counts(),
        "config": config.content(),
        "files": files,
    }


def pair_table(scene: str, prepared: PreparedScene, first_row: int) -> pa.Table:
    """Return the pairs of one scene with row numbers of ``frames.parquet``, where the scene starts at ``first_row``."""
    columns = [
        pa.array([scene] * len(prepared.anchor), pa.string()),
        pa.array((prepared.anchor + first_row).astype(np.int32)),
        pa.array((prepared.positive + first_row).astype(np.int32)),
        pa.array(prepared.overlap.astype(np.float32)),
    ]
    return pa.table(columns, schema=PAIR_SCHEMA)


def table_bytes(table: pa.Table) -> bytes:
    """Return the table's content as Arrow's stream of one batch, the same however it was put together.

    Frame numbers count in 32 bits where they fit, as format 1 stored them: the digest of the same data stays, and with it the
    runs that learn from them.
    """
    place = table.schema.get_field_index("frame")
    if place >= 0 and (pc.max(table["frame"]).as_py() or 0) < 1 << 31:
        narrow = pa.field("frame", pa.int32(), nullable=False)
        table = table.set_column(place, narrow, table["frame"].cast(pa.int32()))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def inputs_digest(root: Path, config: PrepareConfig) -> str:
    """Return twelve hexadecimal digits of place, names, sizes and times of the data files and split lists, and the settings."""
    root = root.resolve()
    if not root.is_dir():
        raise UserError(f"no data folder {root}: name the folder of the scans")
    places = [root, Path(config.splits).resolve()] if config.splits else [root]
    files = [entry for place in places for entry in file_states(place)]
    return digest([FORMAT_VERSION, str(root), files, config.content()])
