"""The sources of a run on real workers: none walks the data, and all read one copy of each table in Ray's object store."""

import json
import os
from pathlib import Path

import pytest

from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.training.ray.launch import train
from tests.listings import folders_below, listings_below
from tests.methods.tiny import tiny_experiment
from tests.training.ray.watched import WatchedPri3D

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def reports(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What the processes of a run of one worker wrote about themselves, by file name; the driver among them."""
    storage = tmp_path_factory.mktemp("watched")
    experiment = tiny_experiment("pri3d", rooms, storage, run__workers=1, schedule__steps=2, run__name="watched")
    ensure_index(rooms, storage, experiment.data.prepare)
    with listings_below(rooms) as listed:
        train(WatchedPri3D, experiment, say=[].append)
    written = {path.name: json.loads(path.read_text()) for path in (storage / "reports").glob("*.json")}
    return written | {"driver": {"listed": listed, "sources": {}}}


def test_the_driver_walks_the_data_once_and_no_worker_lists_a_folder_of_it(reports: dict[str, dict], rooms: Path):
    assert dict(reports.pop("driver")["listed"]) == dict.fromkeys(folders_below(rooms), 1)
    assert {name.partition("-")[0] for name in reports} == {"worker", "data"}
    assert not [name for name in reports if str(os.getpid()) in name]
    assert not {name: report["listed"] for name, report in reports.items() if report["listed"]}


def test_a_worker_reads_the_tables_in_the_object_store_and_puts_none_there_again(reports: dict[str, dict]):
    sources = [report["sources"] for name, report in reports.items() if name.startswith("worker")]
    assert [set(found) for found in sources] == [{"train", "held_out"}]
    for facts in sources[0].values():
        assert facts == {"referenced": True, "put_once": True, "in_the_store": True}
