"""Preparation of data: ``python -m jobs.prepare scans ROOT [--check]`` indexes scans, ``... rooms --out DIR`` renders rooms.

Annotated points (:mod:`jobs.prepare_clouds`): ``s3dis ROOT [--check]``, ``sun_rgbd ROOT [--check]``.

Single objects (:mod:`jobs.prepare_objects`): ``shapes --out DIR`` generates some, ``shapenet_renders ROOT --out DIR`` renders
meshes, ``shapenet_renders_index ROOT`` readies renders for training.

Objects with posed views (:mod:`jobs.prepare_posed`): ``srn ROOT [--check]`` indexes the SRN layout, ``posed_shapes --out DIR``
generates objects in it, ``srn_renders ROOT --out DIR`` draws meshes with parts into it. With depth, normals and voxels beside
the views (:mod:`jobs.prepare_sketched`): ``sketched_shapes --out DIR``, ``sketched_meshes ROOT --out DIR``.

Keypoints (:mod:`jobs.prepare_keypoints`): ``keypointnet ROOT [--check]`` and ``photos ROOT`` read them through and count them;
``annotation_page MESHES --out PAGE`` has people mark some, ``aggregate MESHES --marks FILES --out DIR`` makes one set of them,
which ``verification_page`` and ``verify`` have a person judge.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from jobs import command_line
from jobs.exits import run
from jobs.places import place, storage_place
from jobs.prepare_clouds import s3dis, sun_rgbd
from jobs.prepare_keypoints import (
    aggregate,
    annotation_page,
    keypointnet,
    photos,
    verification_page,
    verify,
)
from jobs.prepare_objects import SAMPLES_SHOWN, shapenet_renders, shapenet_renders_index, shapes
from jobs.prepare_posed import posed_shapes, srn, srn_renders
from jobs.prepare_sketched import sketched_meshes, sketched_shapes
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.index import Index, PrepareConfig
from sem3d.datasets.scans.prepare import inputs_digest, prepare
from sem3d.training.ray.cluster import connect
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import write_rooms


def scans(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[PrepareConfig, tyro.conf.arg(name="")] = PrepareConfig(),  # noqa: B008 -- frozen
    *,
    out: Path | None = None,
    storage: Path = Path("runs"),
    check: bool = False,
    workers: int = 0,
) -> None:
    """Find, validate and pair the frames of ScanNet, 7-Scenes or data laid out like them.

    Args:
        root: Folder of the data, or of one scene.
        config: How the index is made.
        out: Folder of the index; by default one in storage that training finds by itself.
        storage: The folder that training is given as run.storage.
        check: Decode every colour, label and instance image too.
        workers: Scenes prepared at the same time by Ray (the cluster of RAY_ADDRESS, if set); 0: one by one, without Ray.
    """
    start = time.monotonic()
    root = place(root)
    if workers:
        connect(cpus=workers)
    inputs = inputs_digest(root, config)
    folder = place(out) if out else storage_place(storage, "storage") / "index" / inputs
    index = prepare(root, folder, config, check, say=lambda line: print(line, flush=True), inputs=inputs)
    print(summary(index, time.monotonic() - start))


def rooms(
    config: Annotated[RoomsConfig, tyro.conf.arg(name="")] = RoomsConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
) -> None:
    """Render furnished rooms into ScanNet's own layout, with labels, for trials without scans.

    Args:
        config: What is rendered.
        out: Folder of the rooms; found again if it holds the same rooms already.
    """
    start = time.monotonic()
    connect(cpus=2)
    made = write_rooms(place(out), config)
    print(f"rooms       {made.rooms}\nframes      {made.frames}")
    print(f"quarantine  {len(made.quarantine)}")
    for entry in made.quarantine:
        print(f"            {entry['source']}: {entry['reason']}")
    for entry in made.notes[:SAMPLES_SHOWN]:
        print(f"note        {entry['source']}: {entry['reason']}")
    print(f"seconds     {time.monotonic() - start:.1f}{' (found unchanged)' if made.reused else ''}")
    print(f"folder      {made.out} (index it with --stride {made.frame_stride})")


def summary(index: Index, seconds: float) -> str:
    """Return what was found, in a few lines."""
    report = QuarantineReport.read(index.folder / "quarantine.json")
    splits = ", ".join(
        f"{split} {count}" for split, count in sorted(Counter(index.frames["split"].to_pylist()).items())
    )
    lines = [
        f"layout      {index.content['layout']}",
        f"scenes      {index.scenes.num_rows}",
        f"frames      {index.frames.num_rows} ({splits})",
        f"pairs       {index.pairs.num_rows}",
        f"quarantine  {len(report)}",
        *(f"{count:>11} {reason}" for reason, count in report.counts().items()),
        *(f"            {item.source}: {item.reason}" for item in report.items[:SAMPLES_SHOWN]),
        *(f"note        {note.source}: {note.reason}" for note in report.notes[:SAMPLES_SHOWN]),
        f"seconds     {seconds:.1f}{' (unchanged: the index was reused)' if index.reused else ''}",
        f"index       {index.folder}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the verb that the first argument names."""
    scenes = {"scans": scans, "s3dis": s3dis, "sun_rgbd": sun_rgbd, "rooms": rooms}
    objects = {verb.__name__: verb for verb in (shapes, shapenet_renders, shapenet_renders_index)}
    posed = {verb.__name__: verb for verb in (srn, posed_shapes, srn_renders)}
    sketched = {verb.__name__: verb for verb in (sketched_shapes, sketched_meshes)}
    keypoints = {
        verb.__name__: verb for verb in (keypointnet, photos, annotation_page, aggregate, verification_page, verify)
    }
    command_line.run_verb(scenes | objects | posed | sketched | keypoints, prog="python -m jobs.prepare")


if __name__ == "__main__":
    run(main)
