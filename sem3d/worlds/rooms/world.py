"""Rooms as the world of methods that learn from scans."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import Any

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


def fine_enough(config: RoomsConfig, leaves: Mapping[str, Any]) -> RoomsConfig:
    """Return the rooms with a surface that fills the voxels that are learnt from: at least four points a voxel's square."""
    voxel = leaves.get("data.voxel_size", inf)
    return replace(config, point_spacing=min(config.point_spacing, voxel / 2))


ROOMS = World(
    small=small_rooms,
    folder=rooms_folder,
    make=make_rooms,
    settings={"data.prepare.stride": 1},
    fine_enough=fine_enough,
)
