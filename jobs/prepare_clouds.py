"""The verb of :mod:`jobs.prepare` for rooms that are labelled point clouds: s3dis."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place, storage_place
from jobs.prepare_objects import found_wrong
from sem3d.config import FilePath
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.annotated_sources import annotated_rooms
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.clouds import check_clouds, ensure_clouds
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_cloud import CloudConfig
from sem3d.training.ray.cluster import connect


def s3dis(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[CloudConfig, tyro.conf.arg(name="")] = CloudConfig(),  # noqa: B008 -- frozen
    *,
    splits: FilePath = "",
    storage: Path = Path("runs"),
    check: bool = False,
    workers: int = 0,
) -> None:
    """Read the rooms of S3DIS (Area_<n>/<room>/Annotations/*.txt) into labelled points, which training finds by itself.

    Args:
        root: Folder of Area_1 to Area_6.
        config: How rooms become samples; training must be given the same as data.clouds.
        splits: Folder of train.txt and val.txt, names such as Area_1-office_3; empty: Area 5 is held out.
        storage: The folder that training is given as run.storage.
        check: Only read every room and say what cannot be used.
        workers: Rooms read at the same time by Ray (the cluster of RAY_ADDRESS, if set); 0: one by one, without Ray.
    """
    start = time.monotonic()
    if workers:
        connect(cpus=workers)
    prepare = PrepareConfig(splits=splits)
    source = annotated_rooms(place(root), prepare)
    print(f"reading {source.total} rooms", flush=True)
    if check:
        found = check_clouds(source, config, lambda line: print(line, flush=True))
        rooms, report = found.scenes, found.report
        for number, count in sorted(found.points.items()):
            print(f"{S3DIS_NAMES[number]:<12}{count:>12} points")
    else:
        folder = storage_place(storage, "storage")
        made = ensure_clouds(source, folder, config, prepare.quarantine_limit, lambda line: print(line, flush=True))
        splits_of = zip(*(made.parts[name].to_pylist() for name in ("scene", "split")), strict=True)
        rooms = Counter(split for _, split in set(splits_of))
        report = QuarantineReport.read(made.folder / "quarantine.json")
        print(f"clouds      {made.folder}")
    print(f"rooms       {', '.join(f'{split} {rooms[split]}' for split in ('train', 'val'))}")
    print(found_wrong(report))
    print(f"seconds     {time.monotonic() - start:.1f}{' (only checked)' if check else ''}")
