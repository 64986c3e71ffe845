"""The verbs of :mod:`jobs.prepare` for data sets of annotated points: s3dis, sun_rgbd."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place, storage_place
from jobs.prepare_objects import found_wrong
from sem3d.config import FilePath
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.annotated_sources import annotated_frames, annotated_rooms
from sem3d.datasets.scans.checked_clouds import check_clouds
from sem3d.datasets.scans.cloud_sources import CloudSource
from sem3d.datasets.scans.clouds import check_trained, check_usable, ensure_clouds
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_scene import CloudConfig
from sem3d.training.ray.cluster import connect


def s3dis(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[CloudConfig, tyro.conf.arg(name="")] = CloudConfig(),  # noqa: B008 -- frozen
    *,
    splits: FilePath = "",
    quarantine_limit: float = PrepareConfig.quarantine_limit,
    storage: Path = Path("runs"),
    check: bool = False,
    workers: int = 0,
) -> None:
    """Read the rooms of S3DIS (Area_<n>/<room>/Annotations/*.txt) into labelled points, which training finds by itself.

    Args:
        root: Folder of Area_1 to Area_6.
        config: How rooms become samples; training must be given the same as data.clouds.
        splits: Folder of train.txt and val.txt, names such as Area_1-office_3; empty: Area 5 is held out.
        quarantine_limit: Largest share of rooms that may be unusable, as data.prepare.quarantine_limit of training.
        storage: The folder that training is given as run.storage.
        check: Only read every room and say what cannot be used; ends with an error where training would.
        workers: Rooms read at the same time by Ray (the cluster of RAY_ADDRESS, if set); 0: one by one, without Ray.
    """
    prepare = PrepareConfig(splits=splits, quarantine_limit=quarantine_limit)
    source = annotated_rooms(place(root), prepare)
    read_through(source, config, prepare.quarantine_limit, None if check else storage, workers)


def sun_rgbd(
    root: tyro.conf.Positional[Path],
    /,
    *,
    quarantine_limit: float = PrepareConfig.quarantine_limit,
    storage: Path = Path("runs"),
    check: bool = False,
    workers: int = 0,
) -> None:
    """Read the frames of SUN RGB-D as VoteNet extracts them (sunrgbd_pc_bbox_votes_<...>_{train,val}) into points with boxes.

    Args:
        root: Folder of the two folders.
        quarantine_limit: Largest share of frames that may be unusable, as data.prepare.quarantine_limit of training.
        storage: The folder that training is given as run.storage.
        check: Only read every frame and say what cannot be used; ends with an error where training would.
        workers: Frames read at the same time by Ray (the cluster of RAY_ADDRESS, if set); 0: one by one, without Ray.
    """
    limit = PrepareConfig(quarantine_limit=quarantine_limit).quarantine_limit
    read_through(annotated_frames(place(root)), CloudConfig(), limit, None if check else storage, workers)


def read_through(source: CloudSource, config: CloudConfig, limit: float, storage: Path | None, workers: int) -> None:
    """Read all scenes of a source, into clouds unless there is no ``storage``, and print what was found.

    Raises :class:`UserError` where training would: more than ``limit`` of the scenes cannot be used, or none trains.
    """
    start = time.monotonic()
    if workers:
        connect(cpus=workers)
    print(f"reading {source.total} scenes of {source.root}", flush=True)
    if storage is None:
        found = check_clouds(source, config, lambda line: print(line, flush=True))
        scenes, report = found.scenes, found.report
        for number, count in sorted(found.labels.items()):
            print(f"{source.names[number]:<12}{count:>12} {source.counted}")
    else:
        folder = storage_place(storage, "storage")
        made = ensure_clouds(source, folder, config, limit, lambda line: print(line, flush=True))
        splits_of = zip(*(made.parts[name].to_pylist() for name in ("scene", "split")), strict=True)
        scenes = Counter(split for _, split in set(splits_of))
        report = QuarantineReport.read(made.folder / "quarantine.json")
        print(f"clouds      {made.folder}")
    print(f"scenes      {', '.join(f'{split} {scenes[split]}' for split in ('train', 'val'))}")
    print(found_wrong(report))
    print(f"seconds     {time.monotonic() - start:.1f}{' (only checked)' if storage is None else ''}", flush=True)
    if storage is None:
        check_usable(source, report, scenes.total(), limit, None)
    check_trained(scenes["train"], source.root, source.untrained)
