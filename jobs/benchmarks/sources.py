"""A million frame pairs opened, and handed on to a worker through Ray's object store, against rows as Python objects.

The index is generated: 100 scenes of 1000 frames, pairs of neighbours. The rivals are what a data set in PyTorch commonly does:
a list of rows, made by every process for itself. Memory is what belongs to the worker alone (USS).
"""

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import ray

from sem3d.datasets.checked_files import write_rows
from sem3d.datasets.frame_pairs import FramePairs, pair_samples
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.schema import FORMAT_VERSION, FRAME_SCHEMA, PAIR_SCHEMA, SCENE_SCHEMA
from sem3d.training.ray.launch import connect
from sem3d.training.ray.shared_sources import from_store, put_in_store

PAIRS, SCENES, FRAMES, ROUNDS = 1_000_000, 100, 100_000, 3
MEGABYTE = 1 << 20


def write_index(folder: Path) -> None:
    """Write an index of frames that are nowhere, nine of ten scenes to train on."""
    names = [f"scene{number:04d}_00" for number in range(SCENES)]
    scene = np.repeat(np.arange(SCENES), FRAMES // SCENES)
    splits = ["val" if number % 10 == 9 else "train" for number in range(SCENES)]
    place = [f"scans/{names[number]}/{names[number]}.sens#{row}" for row, number in enumerate(scene)]
    matrix = np.tile(np.eye(4).ravel(), (len(scene), 1))
    columns: dict[str, Any] = {
        "scene": pa.array(names).take(scene),
        "frame": np.arange(len(scene)),
        "split": pa.array(splits).take(scene),
        "color": place,
        "depth": place,
        "label": [""] * len(scene),
        "instance": [""] * len(scene),
        "world_from_camera": pa.FixedSizeListArray.from_arrays(matrix.ravel(), 16),
        "intrinsics_color": pa.FixedSizeListArray.from_arrays(matrix[:, :9].ravel(), 9),
        "intrinsics_depth": pa.FixedSizeListArray.from_arrays(matrix[:, :9].ravel(), 9),
        **dict.fromkeys(
            ("color_height", "color_width", "depth_height", "depth_width"), np.full(len(scene), 480, np.int32)
        ),
        "depth_scale": np.full(len(scene), 1000.0),
    }
    rng = np.random.default_rng(0)
    anchor = np.sort(rng.integers(0, len(scene) - 1, PAIRS)).astype(np.int32)
    anchor -= (scene[anchor] != scene[anchor + 1]).astype(np.int32)
    pairs = [pa.array(names).take(scene[anchor]), anchor, anchor + 1, rng.random(PAIRS).astype(np.float32)]
    scenes = [names, splits, np.full(SCENES, FRAMES // SCENES, np.int32), [""] * SCENES]
    tables = {
        "frames.parquet": pa.table(columns, schema=FRAME_SCHEMA),
        "pairs.parquet": pa.table(pairs, schema=PAIR_SCHEMA),
        "scenes.parquet": pa.table(scenes, schema=SCENE_SCHEMA),
    }
    folder.mkdir()
    content = {
        "format": FORMAT_VERSION,
        "root": str(folder),
        "digest": "generated",
        "config": PrepareConfig().content(),
        "quarantine": {},
        "files": {name: write_rows(folder / name, table) for name, table in tables.items()},
    }
    (folder / "index.json").write_text(json.dumps(content))


def opened(folder: Path) -> Any:
    """Open both splits as training does."""
    return pair_samples(FramePairs(root=str(folder)), "", 0, voxels=False, depth=False)


def as_rows(folder: Path) -> Any:
    """Open the same as lists of rows."""
    frames, pairs = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("frames", "pairs"))
    return frames, {
        split: [pair for pair in pairs if frames[pair["anchor"]]["split"] == split] for split in ("train", "val")
    }


class Worker:
    """A process that opens the pairs in one way or the other."""

    def ready(self) -> int:
        """Return the bytes that are this process's own, once it has imported everything."""
        gc.collect()
        return psutil.Process().memory_full_info().uss

    def takes(self, references: dict[str, ray.ObjectRef] | None, folder: Path) -> tuple[float, int]:
        """Return seconds and bytes of its own that it takes to have the pairs, from the store or by itself."""
        before, start = self.ready(), time.perf_counter()
        self.held = from_store(references) if references is not None else as_rows(folder)
        seconds = time.perf_counter() - start
        return seconds, max(self.ready() - before, 1)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long ``work()`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def worker(references: dict[str, ray.ObjectRef] | None, folder: Path) -> tuple[float, int]:
    """Return what a new worker takes."""
    actor: Any = ray.remote(Worker)
    process = actor.remote()
    ray.get(process.ready.remote())
    spent, own = ray.get(process.takes.remote(references, folder))
    ray.kill(process)
    return spent, own


def run() -> list[tuple[str, float, float, str]]:
    """Return medians of interleaved rounds."""
    connect(cpus=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "index"
        write_index(folder)
        references = put_in_store(opened(folder))
        driver, workers = [], []
        for _ in range(ROUNDS):
            driver.append((seconds(lambda: opened(folder)), seconds(lambda: as_rows(folder))))
            workers.append((worker(references, folder), worker(None, folder)))
    ours, rows = (statistics.median(times) for times in zip(*driver, strict=True))
    (taken, own), (opened_again, rows_own) = (
        (statistics.median(values) for values in zip(*side, strict=True)) for side in zip(*workers, strict=True)
    )
    return [
        ("pairs opened, against a list of rows", PAIRS / ours, PAIRS / rows, "pairs/s"),
        ("pairs handed to a worker, against opened by it", PAIRS / taken, PAIRS / opened_again, "pairs/s"),
        ("pairs in memory of the worker's own", PAIRS * MEGABYTE / own, PAIRS * MEGABYTE / rows_own, "pairs/MB"),
    ]
