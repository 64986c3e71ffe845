"""Pri3D in workers that watch themselves: a folder of the data that one lists, or samples that it puts in Ray's store again."""

import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pyarrow as pa

from sem3d.datasets.stream import Samples
from sem3d.methods.method import Sources
from sem3d.methods.pri3d import Pri3D
from tests.listings import listings_below

_watching = ExitStack()


@cache
def watched(root: str) -> Counter[str]:
    """The listings of this process below ``root``, from the first call on."""
    return _watching.enter_context(listings_below(Path(root)))


@dataclass(frozen=True)
class WatchedLoad:
    """Loads a row in a process of Ray Data, which writes down what it has listed so far."""

    root: str
    reports: Path
    load: Callable

    def __setstate__(self, state: dict) -> None:
        """Begins the watch where a process is handed the samples."""
        watched(state["root"])
        self.__dict__.update(state)

    def __call__(self, row: dict, rng) -> dict:
        loaded = self.load(row, rng)
        report(self.reports, "data", watched(self.root))
        return loaded


class WatchedPri3D(Pri3D):
    """Reports of each process lie in ``<run.storage>/reports``."""

    @classmethod
    def sources(cls, experiment) -> dict[str, Samples]:
        root, reports = experiment.data.root, Path(experiment.run.storage) / "reports"
        watched(root)
        reports.mkdir(exist_ok=True)
        opened = super().sources(experiment)
        return {
            name: replace(samples, load=WatchedLoad(root, reports, samples.load)) for name, samples in opened.items()
        }

    def training_samples(self, step: int, sources: Sources) -> Samples:
        samples = super().training_samples(step, sources)
        facts = {
            name: {
                "referenced": source.reference is not None,
                "put_once": source.shared() is source,
                "in_the_store": all(in_shared_memory(buffer) for buffer in buffers_of(source.table)),
            }
            for name, source in sources.items()
        }
        report(Path(self.experiment.run.storage) / "reports", "worker", watched(self.experiment.data.root), facts)
        return samples


def report(folder: Path, role: str, listed: Counter[str], facts: dict | None = None) -> None:
    """Writes the report of this process anew."""
    pending = folder / f".{role}-{os.getpid()}"
    pending.write_text(json.dumps({"listed": listed, "sources": facts or {}}))
    pending.replace(folder / f"{role}-{os.getpid()}.json")


def buffers_of(table: pa.Table) -> list[pa.Buffer]:
    """All memory of a table that holds something."""
    chunks = [chunk for column in table.columns for chunk in column.chunks]
    return [buffer for chunk in chunks for buffer in chunk.buffers() if buffer is not None and buffer.size]


def in_shared_memory(buffer: pa.Buffer) -> bool:
    """Whether a buffer lies in a file that processes share, as Ray's object store does, and not in memory of this one."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(number, 16) for number in line.split(" ", 1)[0].split("-"))
        if first <= buffer.address < last:
            return "plasma" in line
    return False
