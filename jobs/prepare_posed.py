"""The verbs of :mod:`jobs.prepare` for objects with posed views: srn, posed_shapes, srn_renders."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place, storage_place
from jobs.prepare_objects import found_wrong
from sem3d.datasets.objects.archives import is_tar, unpacked
from sem3d.datasets.objects.srn_index import PosedIndex, index_posed_views
from sem3d.training.ray.cluster import connect
from sem3d.worlds.posed.meshes import MeshViewsConfig, check_mesh_views, write_mesh_views
from sem3d.worlds.posed.shapes import PosedShapesConfig, ahead, write_posed_shapes
from sem3d.worlds.posed.write import PosedSummary

FAULTS_SHOWN = 5


def srn(
    root: tyro.conf.Positional[Path],
    /,
    *,
    storage: Path = Path("runs"),
    check: bool = False,
    quarantine_limit: float = 0.1,
) -> None:
    """Read posed views in the SRN layout into the index that training opens, and say what cannot be used.

    Args:
        root: Folder of <split>/<instance>/{rgb,pose,seg}/, or of <Class>.<split>/<instance>/...
        storage: The folder that training is given as run.storage.
        check: Decode every picture too, and write nothing.
        quarantine_limit: Largest share of the views that may be unusable.
    """
    start = time.monotonic()
    root = place(root)
    print(f"reading     {root}", flush=True)
    index = index_posed_views(
        root,
        storage_place(storage, "storage"),
        check=check,
        quarantine_limit=quarantine_limit,
        say=lambda line: print(line, flush=True),
    )
    print(instances_found(index))
    print(found_wrong(index.report))
    done = " (only checked)" if check else " (unchanged: the index was reused)" if index.reused else ""
    print(f"seconds     {time.monotonic() - start:.1f}{done}")
    if not check:
        print(f"index       {index.folder}")


def posed_shapes(
    config: Annotated[PosedShapesConfig, tyro.conf.arg(name="")] = PosedShapesConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
) -> None:
    """Generate objects with parts and draw posed views of them with labels, in the SRN layout.

    Args:
        config: Which objects, and which views.
        out: Folder of the views, seen by all nodes; found again if it holds the same.
    """
    start = time.monotonic()
    print(ahead(place(out), config, 2) or f"found       {place(out)}", flush=True)
    connect(cpus=2)
    tell(write_posed_shapes(place(out), config), time.monotonic() - start)


def srn_renders(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[MeshViewsConfig, tyro.conf.arg(name="")] = MeshViewsConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
    check: bool = False,
) -> None:
    """Draw posed views with labels of meshes with parts, PartNet's or one .obj each, in the SRN layout.

    Args:
        root: Folder of the meshes, or a tar of it, which is unpacked beside OUT.
        config: Which objects, their split and their views.
        out: Folder of the views, seen by all nodes; found again if it holds the same.
        check: Only read every mesh and say which cannot be used.
    """
    start = time.monotonic()
    root, out = place(root), place(out)
    print(f"reading     {root}", flush=True)
    if is_tar(root):
        root = unpacked(root, out.with_name(f"{out.name}.meshes"))
    if check:
        faults = check_mesh_views(root, config)
        print(f"quarantine  {len(faults)}")
        for fault in list(faults.values())[:FAULTS_SHOWN]:
            print(f"            {fault}")
        print(f"seconds     {time.monotonic() - start:.1f} (only checked)")
        return
    connect(cpus=2)
    tell(write_mesh_views(root, out, config), time.monotonic() - start)


def instances_found(index: PosedIndex) -> str:
    """Return a line a class: its instances and views by split, and its classes of parts."""
    lines = []
    for category, names in index.classes.items():
        counts = {
            split: [
                len(row["pictures"])
                for row in index.table.to_pylist()
                if (row["category"], row["split"]) == (category, split)
            ]
            for split in ("train", "val", "test")
        }
        words = ", ".join(f"{split} {len(views)} of {sum(views)} views" for split, views in counts.items() if views)
        lines += [
            f"instances   {category}{': ' if category else ''}{words}",
            f"classes     {', '.join(names) or 'no labels'}",
        ]
    return "\n".join(lines)


def tell(made: PosedSummary, seconds: float) -> None:
    """Print what was drawn."""
    counts = ", ".join(f"{split} {count}" for split, count in made.objects.items())
    print(f"objects     {sum(made.objects.values())} ({counts})")
    print(found_wrong(made.report))
    print(f"seconds     {seconds:.1f}{' (found unchanged)' if made.reused else ''}")
    print(f"folder      {made.out}")
