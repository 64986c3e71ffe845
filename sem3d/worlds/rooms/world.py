"""Rooms as the world of methods that learn from scans."""

from dataclasses import asdict
from pathlib import Path

from sem3d.config import digest
from sem3d.worlds.register import World
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import FORMAT, write_rooms


def small_rooms() -> RoomsConfig:
    """Return rooms at little more than the size that the laptop presets see."""
    return RoomsConfig(color_height=120, color_width=160, depth_height=120, depth_width=160)


def rooms_folder(storage: Path, config: RoomsConfig) -> Path:
    """Return the place of these rooms."""
    return storage / f"rooms-{digest([FORMAT, asdict(config)])}"


def make_rooms(folder: Path, config: RoomsConfig) -> str:
    """Render the rooms unless they are there."""
    rooms = write_rooms(folder, config)
    return f"{'found' if rooms.reused else 'rendered'} {rooms.rooms} rooms, {rooms.frames} frames: {folder}"


ROOMS = World(small=small_rooms, folder=rooms_folder, make=make_rooms, settings={"data.prepare.stride": 1})
