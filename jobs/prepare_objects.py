"""The verbs of :mod:`jobs.prepare` for single objects: shapes, shapenet_renders, shapenet_renders_index."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place, storage_place
from sem3d.datasets.objects.nmr import SYNSETS, RendersIndex
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.objects.render import RendersConfig, check_meshes, write_renders
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.errors import UserError
from sem3d.training.ray.cluster import connect
from sem3d.worlds.shapes.register import FAMILIES
from sem3d.worlds.shapes.write import ShapesConfig, write_shapes

SAMPLES_SHOWN = 3


def shapes(
    config: Annotated[ShapesConfig, tyro.conf.arg(name="")] = ShapesConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
    render: bool = True,
) -> None:
    """Generate families of shapes as OUT/meshes (.obj, part labels, keypoints) and OUT/renders (NMR's layout).

    Args:
        config: Which shapes.
        out: Folder of both; found again if it holds the same shapes already.
        render: Render and voxelise them too; on a cluster, OUT must be seen by all nodes.
    """
    start = time.monotonic()
    meshes = write_shapes(place(out) / "meshes", config, say=lambda line: print(line, flush=True))
    known = ", ".join(f"{kind} {FAMILIES[kind].synset}" for kind in config.kinds)
    print(f"families    {known}\nmeshes      {meshes}\nseconds     {time.monotonic() - start:.1f}")
    if render:
        shapenet_renders(meshes, out=place(out) / "renders")


def shapenet_renders(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[RendersConfig, tyro.conf.arg(name="")] = RendersConfig(),  # noqa: B008 -- frozen
    *,
    out: Path | None = None,
    check: bool = False,
) -> None:
    """Render and voxelise meshes (.obj in ShapeNetCore's layout, or <class>/<name>.obj) into the files NMR released.

    Args:
        root: Folder of the meshes.
        config: How objects are split.
        out: Folder of the renders, seen by all nodes; found again if it holds the same. Not needed with --check.
        check: Only read every mesh and say which cannot be used.
    """
    start = time.monotonic()
    root = place(root)
    if check:
        total, report = check_meshes(root)
        print(f"meshes      {total}\n{found_wrong(report)}\nseconds     {time.monotonic() - start:.1f} (only checked)")
        return
    if out is None:
        raise UserError("name the folder of the renders with --out, or only check the meshes with --check")
    # PyTorch3D takes seconds to import, which the other verbs need not wait for.
    from sem3d.rendering.shaded_views import shaded_views

    connect(cpus=2)
    made = write_renders(root, place(out), config, shaded_views)
    print(objects_found(made.objects))
    print(found_wrong(made.report))
    print(f"seconds     {time.monotonic() - start:.1f}{' (found unchanged)' if made.reused else ''}")
    print(f"folder      {made.out}")


def shapenet_renders_index(
    root: tyro.conf.Positional[Path],
    /,
    *,
    out: Path | None = None,
    storage: Path = Path("runs"),
    check: bool = False,
) -> None:
    """Unpack NMR's release, or render in its layout, into shards that training maps into memory.

    Args:
        root: Folder of <synset>_{train,val,test}_{images,voxels}.npz.
        out: Folder of the index; by default one in storage that training finds by itself.
        storage: The folder that training is given as run.storage.
        check: Only read everything through and say what cannot be used.
    """
    start = time.monotonic()
    folder = place(out) if out else None
    result = index_renders(
        place(root),
        storage_place(storage, "storage"),
        out=folder,
        check=check,
        say=lambda line: print(line, flush=True),
    )
    if isinstance(result, RendersIndex):
        print(objects_found(result.objects))
        print(f"views       {result.table.num_rows}")
        print(found_wrong(QuarantineReport.read(result.folder / "quarantine.json")))
        print(f"index       {result.folder}")
    else:
        print(found_wrong(result))
    print(f"seconds     {time.monotonic() - start:.1f}{' (only checked)' if check else ''}")


def objects_found(objects: dict[str, dict[str, int]]) -> str:
    """Return one line a class: its objects by split."""
    names = {synset: name for name, synset in SYNSETS.items()}
    lines = [
        f"{names.get(category, category):<12}{sum(counts.values())} objects "
        f"({', '.join(f'{split} {count}' for split, count in counts.items())})"
        for category, counts in objects.items()
    ]
    return "\n".join(lines)


def found_wrong(report: QuarantineReport) -> str:
    """Return what was left out by kind, the first of it by name, and how many are used with a remark."""
    lines = [
        f"quarantine  {len(report)}",
        *(f"{count:>11} {reason}" for reason, count in report.counts().items()),
        *(f"            {item.source}: {item.reason}" for item in report.items[:SAMPLES_SHOWN]),
        f"notes       {len(report.notes)}",
        *(f"{count:>11} {reason}" for reason, count in report.note_counts().items()),
        *(f"            {note.source}: {note.reason}" for note in report.notes[:SAMPLES_SHOWN]),
    ]
    return "\n".join(lines)
