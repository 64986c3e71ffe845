"""Rooms as a world: the words on how long rendering takes."""

from pathlib import Path

from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.world import ROOMS, SECONDS_PER_PIXEL


def test_what_rendering_takes_grows_with_rooms_frames_and_pixels(tmp_path: Path):
    folder, config = tmp_path / "rooms", RoomsConfig(rooms_train=3, rooms_val=1, color_height=120, color_width=160)
    seconds = 4 * config.frames_per_room * 120 * 160 * SECONDS_PER_PIXEL / 2
    frames = 4 * config.frames_per_room
    assert ROOMS.ahead(folder, config, 2.0) == f"rendering 4 rooms, {frames} frames: about {seconds:.0f} s on 2 CPUs"
