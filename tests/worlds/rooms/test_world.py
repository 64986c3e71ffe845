"""Rooms as a world: the words about them before and while they are rendered."""

import os
from pathlib import Path

import pytest

from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.world import ROOMS, SECONDS_PER_PIXEL


def test_what_rendering_takes_is_said_before_and_while_it_lasts(tmp_path: Path):
    folder, config = tmp_path / "rooms", RoomsConfig(rooms_train=3, rooms_val=1, color_height=120, color_width=160)
    seconds = 4 * config.frames_per_room * 120 * 160 * SECONDS_PER_PIXEL / 2
    frames = 4 * config.frames_per_room
    assert ROOMS.ahead(folder, config, 2.0) == f"rendering 4 rooms, {frames} frames: about {seconds:.0f} s on 2 CPUs"
    assert ROOMS.so_far(folder) == ""
    (tmp_path / ".rooms.building-0123" / "scans" / "scene0000_00").mkdir(parents=True)
    assert ROOMS.so_far(folder).strip() == "rooms so far: 1"
    folder.mkdir()
    assert ROOMS.ahead(folder, config, 2.0) == ""


def test_rooms_that_get_their_name_while_they_are_counted_stop_no_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    building, listed = tmp_path / ".rooms.building-0123", os.scandir
    (building / "scans" / "scene0000_00").mkdir(parents=True)

    def named_first(path: Path) -> object:
        if path.name == "scans":
            building.rename(tmp_path / "rooms")
        return listed(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", named_first)
        assert ROOMS.so_far(tmp_path / "rooms") == ""
    assert (tmp_path / "rooms" / "scans").is_dir()
