"""Rooms as the world of methods that learn from scans."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import Any

from sem3d.config import digest
from sem3d.worlds.register import World, begun_so_far
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import FORMAT, write_rooms

SECONDS_PER_PIXEL = 5e-6
"""Of a frame, on one CPU, with the room's surface."""


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


def ahead(folder: Path, config: RoomsConfig, cpus: float) -> str:
    """Return what rendering will take."""
    if folder.exists():
        return ""
    frames = (config.rooms_train + config.rooms_val) * config.frames_per_room
    seconds = frames * config.color_height * config.color_width * SECONDS_PER_PIXEL / max(cpus, 1)
    rooms = config.rooms_train + config.rooms_val
    return f"rendering {rooms} rooms, {frames} frames: about {max(seconds, 1):.0f} s on {cpus:g} CPUs"


def so_far(folder: Path) -> str:
    """Return how many rooms are begun."""
    return begun_so_far(folder, "scans/*", "rooms")


def fine_enough(config: RoomsConfig, leaves: Mapping[str, Any]) -> RoomsConfig:
    """Return the rooms with a surface that fills the voxels that are learnt from: at least four points a voxel's square."""
    voxel = leaves.get("data.voxel_size", inf)
    return replace(config, point_spacing=min(config.point_spacing, voxel / 2))


ROOMS = World(
    small=small_rooms,
    folder=rooms_folder,
    make=make_rooms,
    settings={"data.prepare.stride": 1},
    ahead=ahead,
    so_far=so_far,
    fine_enough=fine_enough,
)
