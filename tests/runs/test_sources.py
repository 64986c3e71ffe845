"""The sources of a run: how often opening them, and a whole training, lists the folders of the data."""

import os
from pathlib import Path

import pytest

from sem3d.config import override
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.methods import METHODS, method_class
from sem3d.runs.sources import open_sources
from sem3d.training.ray.launch import train
from tests.listings import folders_below, listings_below
from tests.methods.tiny import DATA, tiny_experiment


def test_listings_are_counted_and_only_those_below_the_root(tmp_path: Path):
    for name in ("data/a", "data/b", "data2"):
        (tmp_path / name).mkdir(parents=True)
    with listings_below(tmp_path / "data") as listed:
        list(os.walk(tmp_path))
        list((tmp_path / "data" / "a").iterdir())
    list(os.walk(tmp_path))
    assert {Path(folder).name: count for folder, count in listed.items()} == {"data": 1, "a": 2, "b": 1}


@pytest.mark.parametrize("name", METHODS)
def test_sources_whose_index_is_prepared_are_opened_by_one_walk(name: str, request, tmp_path: Path):
    data = request.getfixturevalue(DATA[name])
    experiment = tiny_experiment(name, data, tmp_path)
    open_sources(method_class(name), experiment)
    with listings_below(data) as listed:
        open_sources(method_class(name), experiment)
    assert set(listed) <= folders_below(data)
    assert set(listed.values()) == {1}


def test_an_index_in_the_place_of_the_data_is_opened_without_a_walk(rooms: Path, tmp_path: Path):
    experiment = tiny_experiment("pri3d", rooms, tmp_path)
    index = ensure_index(rooms, tmp_path, experiment.data.prepare)
    with listings_below(rooms) as listed:
        open_sources(method_class("pri3d"), override(experiment, {"data.root": str(index.folder)}))
    assert not listed


@pytest.mark.filterwarnings("default")
def test_a_whole_training_walks_the_data_once(rooms: Path, tmp_path: Path):
    experiment = tiny_experiment("pri3d", rooms, tmp_path, run__workers=0, schedule__steps=2)
    ensure_index(rooms, tmp_path, experiment.data.prepare)
    with listings_below(rooms) as listed:
        train("pri3d", experiment, say=[].append)
    assert dict(listed) == dict.fromkeys(folders_below(rooms), 1)
