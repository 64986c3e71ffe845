"""The words about generated data before and while they are made."""

import os
from pathlib import Path

import pytest

from sem3d.worlds.register import WORLDS, world

PLACES = {
    "rooms": "scans/scene0000_00",
    "shapes": "parts/000000.note",
    "posed_shapes": "train/chair-0",
    "sketched_shapes": "train/chair-0",
}
"""Where the first member of a world is begun."""


@pytest.mark.parametrize("name", PLACES)
def test_what_a_world_takes_is_said_before_and_while_it_is_made(name: str, tmp_path: Path):
    made, folder = world(name), tmp_path / "world"
    config = made.small()
    said = made.ahead(folder, config, 2.0)
    assert said.endswith(" s on 2 CPUs")
    seconds = float(said.partition("about ")[2].partition(" s")[0])
    assert float(made.ahead(folder, config, 1.0).partition("about ")[2].partition(" s")[0]) == pytest.approx(
        2 * seconds, abs=1
    )
    assert made.so_far(folder) == ""
    (tmp_path / ".world.building-0123" / PLACES[name]).mkdir(parents=True)
    assert made.so_far(folder).strip().endswith("so far: 1")
    folder.mkdir()
    assert made.ahead(folder, config, 2.0) == ""


def test_only_a_world_that_is_made_in_a_moment_says_nothing():
    assert WORLDS.keys() - PLACES.keys() == {"keypoint_shapes"}


def test_a_world_that_gets_its_name_while_it_is_counted_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    building, listed = tmp_path / ".rooms.building-0123", os.scandir
    (building / "scans" / "scene0000_00").mkdir(parents=True)

    def named_first(path: Path) -> object:
        if path.name == "scans":
            building.rename(tmp_path / "rooms")
        return listed(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", named_first)
        assert world("rooms").so_far(tmp_path / "rooms") == ""
    assert (tmp_path / "rooms" / "scans").is_dir()
