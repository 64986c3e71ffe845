"""The verbs of :mod:`jobs.prepare` for objects with 2.5D sketches, voxels and known cameras: sketched_shapes, sketched_meshes."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place
from jobs.prepare_posed import tell
from sem3d.training.ray.cluster import connect
from sem3d.worlds.sketched.meshes import SketchedMeshesConfig, write_sketched_meshes
from sem3d.worlds.sketched.shapes import SketchedShapesConfig, ahead, write_sketched_shapes


def sketched_shapes(
    config: Annotated[SketchedShapesConfig, tyro.conf.arg(name="")] = SketchedShapesConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
) -> None:
    """Generate objects and draw them with depth, normals, voxels and keypoints; test objects before backgrounds too.

    Args:
        config: Which objects, and which views.
        out: Folder of the views, seen by all nodes; found again if it holds the same.
    """
    start = time.monotonic()
    print(ahead(place(out), config, 2) or f"found       {place(out)}", flush=True)
    connect(cpus=2)
    tell(write_sketched_shapes(place(out), config), time.monotonic() - start)


def sketched_meshes(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[SketchedMeshesConfig, tyro.conf.arg(name="")] = SketchedMeshesConfig(),  # noqa: B008 -- frozen
    *,
    out: Path,
) -> None:
    """Draw meshes, ShapeNetCore's or laid out like them, with depth, normals and voxels.

    Args:
        root: Folder of the meshes, <synset>/<id>/models/model_normalized.obj or <class>/<name>.obj.
        config: Which objects, their split and their views.
        out: Folder of the views, seen by all nodes; found again if it holds the same.
    """
    start = time.monotonic()
    root = place(root)
    print(f"reading     {root}", flush=True)
    connect(cpus=2)
    tell(write_sketched_meshes(root, place(out), config), time.monotonic() - start)
