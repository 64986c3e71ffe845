"""Readers of 2.5D sketches and shapes beside posed views."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sem3d.datasets.objects.sketch_files import read_shape_keypoints
from sem3d.datasets.sketched_views import SketchedViews, sketched_sources
from tests.mutations.containers import put_png, take_png
from tests.mutations.trials import Parser
from tests.worlds.sketched.small import write_chairs

SEEN = "test/chair-test-00000"


def instance_file(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if not (folder / "data").is_dir():
            write_chairs(folder / "data", {"train": 1, "test": 1})
        return folder / "data" / SEEN / name

    return make


def loaded(folder: Path) -> None:
    shutil.rmtree(folder / "runs", ignore_errors=True)
    config = SketchedViews(root=str(folder / "data"), size=16, voxels=16, quarantine_limit=1.0)
    tested = sketched_sources(config, str(folder / "runs"), ("image", "sketch", "voxel"))["tested"]
    tested.load(tested.table.to_pylist()[0], np.random.default_rng(0))


SKETCHES = (
    Parser("depth of a view", instance_file("depth/000000.png"), loaded),
    Parser("normals of a view, pixels", instance_file("normal/000000.png"), loaded, take_png, put_png),
    Parser("photograph of a view", instance_file("photo/000000.png"), loaded),
    Parser("voxels of a shape", instance_file("voxels.npy"), loaded),
    Parser(
        "keypoints of a shape",
        instance_file("keypoints.json"),
        lambda folder: read_shape_keypoints(folder / "data" / SEEN / "keypoints.json", 2),
    ),
)
