"""From ``<synset>_{train,val,test}_{images,voxels}.npz`` (NMR's release or own renders) to shards that can be memory-mapped.

The folder of an index::

    renders.json                       format, data root, counts by class and split, digest of the inputs
    rows.parquet                       one row a usable view: class, split, object, name, view, azimuth in degrees
    <class>_<split>/images_00000.npy   uint8 (256, 24, 4, 64, 64), the last one shorter
    <class>_<split>/voxels_00000.npy   bool (256, 32, 32, 32)
                    ..._00000.crc32.npy    checksums of the views and of the objects' voxels
    quarantine.json                    unusable views, such as those of empty, faint or inverted masks, and objects

An .npz is compressed, so that reading one object means unpacking all before it; a shard is 100 MB of plain bytes of which
a worker touches what it needs.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
import pyarrow as pa

from sem3d.config import digest
from sem3d.datasets import checked_files
from sem3d.datasets.checked_files import write_rows
from sem3d.datasets.objects.copied_renders import copied_files, fingerprint, shared_objects
from sem3d.datasets.objects.nmr import (
    FORMAT_VERSION,
    IMAGE_SHAPE,
    OBJECTS_PER_SHARD,
    RENDER_SCHEMA,
    VOXEL_SHAPE,
    RendersIndex,
    load_renders_index,
    read_renders_json,
)
from sem3d.datasets.objects.npz_stream import npz_header, npz_items
from sem3d.datasets.objects.object_names import object_names, objects_list
from sem3d.datasets.objects.plausible_renders import FAINTEST, filled_corners, inverted_voxels, mask_faults, odd_views
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit
from sem3d.datasets.scans.splits import SPLITS
from sem3d.errors import UserError
from sem3d.files import replaced_folder, write_json
from sem3d.folders import file_identity, is_there, named, root_entries
from sem3d.geometry.nmr_views import AZIMUTH_STEP_DEGREES

LEVELS = {"images": 2, "voxels": 1}
"""Axes of a shard that count what is read at a time: a view of an object, the voxels of an object."""
OPAQUE = 200
"""Alpha that some pixel of every file reaches; less is a mask of another range, such as 0 to 100."""
IMAGES_NAME = re.compile(r"(?P<name>.+)_(?P<split>train|val|test)_images\.npz")


def index_renders(
    root: str | Path,
    storage: str | Path,
    *,
    out: Path | None = None,
    check: bool = False,
    quarantine_limit: float = 0.5,
    say: Callable[[str], None] = lambda _: None,
) -> RendersIndex | QuarantineReport:
    """Convert the renders in the folder ``root`` into an index under ``storage/renders``, or find it there unchanged.

    With ``check`` everything is read and nothing written; the report of unusable views is returned. Raises
    :class:`UserError` for a folder without renders, a file of another shape or dtype, with pickled objects or cut short, a
    number of images unlike that of voxels, or more than ``quarantine_limit`` unusable views.
    """
    root = Path(root).resolve()
    files = find_renders(root)
    lists = [path for name, split in files if (path := objects_list(root, name, split)).is_file()]
    inputs = [*(path for pair in files.values() for path in pair), *lists]
    key = digest([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in inputs])
    counts = {name: checked_count(*pair) for name, pair in files.items()}
    folder = (out or Path(storage) / "renders" / key).absolute()
    if not check and answers(folder, key):
        return load_renders_index(folder)
    if (
        not check
        and read_renders_json(folder) is None
        and folder.exists()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise UserError(f"{folder} exists and is no index of renders: choose another --out")
    refused, most = folder.with_name(f"{folder.name}.quarantine.json"), sum(counts.values()) * IMAGE_SHAPE[0]
    if check:
        _, report = convert(root, None, files, counts, say)
        check_limit(report, most, quarantine_limit, refused)
        return report
    with replaced_folder(folder, lambda: answers(folder, key)) as building:
        rows, report = convert(root, building, files, counts, say)
        check_limit(report, most, quarantine_limit, refused)
        written = write_rows(building / "rows.parquet", pa.Table.from_pylist(rows, RENDER_SCHEMA))
        report.write(building / "quarantine.json")
        content = {
            "format": FORMAT_VERSION,
            "root": str(root),
            "inputs": key,
            "files": {"rows.parquet": written},
            "objects": {name: {s: counts[n, s] for n, s in counts if n == name} for name, _ in counts},
        }
        write_json(building / "renders.json", content)
    return load_renders_index(folder)


def answers(folder: Path, key: str) -> bool:
    """Tell whether ``folder`` is an index of these files."""
    content = read_renders_json(folder)
    return content is not None and content["inputs"] == key


def convert(
    root: Path,
    building: Path | None,
    files: dict[tuple[str, str], tuple[Path, Path]],
    counts: dict[tuple[str, str], int],
    say: Callable[[str], None],
) -> tuple[list[dict[str, object]], QuarantineReport]:
    """Write the shards of all files to ``building``, or only read through them; returns a row a usable view and the faults."""
    rows: list[dict[str, object]] = []
    report = QuarantineReport(notes=copied_files(files))
    seen: dict[tuple[str, str], list[bytes]] = {}
    listed: dict[tuple[str, str], list[str]] = {}
    for (name, split), (images, voxels) in files.items():
        say(f"{name} {split}: {counts[name, split]} objects")
        target = building and building / f"{name}_{split}"
        names = object_names(root, name, split, counts[name, split])
        listed[name, split] = names if is_there(objects_list(root, name, split)) else []
        found, seen[name, split] = convert_images(images, target, name, split, names, report)
        unusable = convert_voxels(voxels, target)
        report.items += [
            Quarantined(f"{voxels.name}: object {number} ({names[number]})", name, reason, lost)
            for number, reason in unusable.items()
            if (lost := sum(row["object"] == number for row in found))
        ]
        rows += [row for row in found if row["object"] not in unusable]
    report.notes += shared_objects(seen) + shared_objects(listed, "names")
    return rows, report


def find_renders(root: Path) -> dict[tuple[str, str], tuple[Path, Path]]:
    """Find images and voxels of each (class, split), in the order of their names."""
    if not root.is_dir():
        raise UserError(f"no data folder {root}: name the folder of NMR's files")
    found: dict[tuple[str, str], tuple[Path, Path]] = {}
    places: dict[Hashable, Path] = {}
    for images in named(root_entries(root), "*_images.npz"):
        match = IMAGES_NAME.fullmatch(images.name)
        if match is None:
            raise UserError(
                f"{images} is not named <synset>_<train, val or test>_images.npz: rename it or move it away"
            )
        voxels = images.with_name(images.name.removesuffix("_images.npz") + "_voxels.npz")
        if not voxels.is_file():
            raise UserError(f"{images} has no {voxels.name} beside it: unpack both")
        for path in (images, voxels):
            if (first := places.setdefault(file_identity(path), path)) is not path:
                raise UserError(f"{path} is another name of {first}: remove one of them")
        found[match["name"], match["split"]] = (images, voxels)
    if not found:
        raise UserError(
            f"no <synset>_<split>_images.npz in {root}: unpack NMR's release there, or make renders with "
            "python -m jobs.prepare shapenet_renders"
        )
    return dict(sorted(found.items(), key=lambda item: (item[0][0], SPLITS.index(item[0][1]))))


def checked_count(images: Path, voxels: Path) -> int:
    """Return the number of objects of a pair of files, from their headers alone."""
    count = {}
    for path, shape, dtype in ((images, IMAGE_SHAPE, np.uint8), (voxels, VOXEL_SHAPE, np.bool_)):
        found, kind = npz_header(path)
        if found[1:] != shape or kind != dtype:
            wanted = f"{np.dtype(dtype).name} (N, {', '.join(map(str, shape))})"
            alpha = ": it has no alpha channel" if found[1:] == (24, 3, 64, 64) else ""
            raise UserError(f"{path} is {kind} {found}, not {wanted}{alpha}")
        count[path] = found[0]
    if count[images] != count[voxels]:
        raise UserError(f"{images} has {count[images]} objects but {voxels.name} has {count[voxels]}: fetch both again")
    if not count[images]:
        raise UserError(f"{images} has no objects: fetch it again, or move it away")
    return count[images]


def convert_images(
    path: Path, target: Path | None, name: str, split: str, names: list[str], report: QuarantineReport
) -> tuple[list[dict[str, object]], list[bytes]]:
    """Write shards of images unless ``target`` is None; returns a row a view with a mask, and a fingerprint an object."""
    rows: list[dict[str, object]] = []
    shard: list[np.ndarray] = []
    looks: list[bytes] = []
    remarks: Counter[str] = Counter()
    highest = 0
    for number, views in enumerate(npz_items(path)):
        remarks += odd_views(views)
        looks.append(fingerprint(views))
        highest = max(highest, int(views[:, 3].max()))
        for view, fault in enumerate(mask_faults(views)):
            if fault:
                source = f"{path.name}: object {number} ({names[number]}), view {view}"
                report.items.append(Quarantined(source, name, fault))
                continue
            place = {"class": name, "split": split, "object": number, "name": names[number], "view": view}
            rows.append({**place, "azimuth": AZIMUTH_STEP_DEGREES * view})
        shard.append(views)
        if len(shard) == OBJECTS_PER_SHARD or number == len(names) - 1:
            write_shard(target, "images", number // OBJECTS_PER_SHARD, shard)
            shard = []
    report.notes += [Quarantined(path.name, name, f"{remark}: {count} views") for remark, count in remarks.items()]
    if FAINTEST <= highest < OPAQUE:
        raise UserError(
            f"{path}: alpha is at most {highest} of 255 in all its images; multiply it by {255 / highest:.3g}"
        )
    return rows, looks


def convert_voxels(path: Path, target: Path | None) -> dict[int, str]:
    """Write shards of voxels, or only read through them if ``target`` is None; returns why objects have no shape."""
    shard: list[np.ndarray] = []
    unusable: dict[int, str] = {}
    filled: list[int] = []
    number = -1
    for number, solid in enumerate(npz_items(path)):
        shard.append(solid)
        if solid.all() or not solid.any():
            unusable[number] = f"no voxel of it is {'empty' if solid.all() else 'solid'}"
        elif filled_corners(solid):
            filled.append(number)
        if len(shard) == OBJECTS_PER_SHARD:
            write_shard(target, "voxels", number // OBJECTS_PER_SHARD, shard)
            shard = []
    if shard:
        write_shard(target, "voxels", number // OBJECTS_PER_SHARD, shard)
    return unusable | inverted_voxels(filled, number + 1)


def write_shard(target: Path | None, kind: str, number: int, items: list[np.ndarray]) -> None:
    """Write one plain .npy file of up to 256 objects."""
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
        checked_files.write_shard(target / f"{kind}_{number:05d}.npy", np.stack(items), LEVELS[kind])
