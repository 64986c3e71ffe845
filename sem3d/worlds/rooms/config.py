"""Settings that decide a generated data set."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from sem3d.errors import UserError
from sem3d.worlds.rooms.recipes import RECIPES
from sem3d.worlds.rooms.sensor import SensorNoise


@dataclass(frozen=True, kw_only=True)
class RoomsConfig:
    """Settings that decide every byte of a generated data set."""

    rooms_train: int = 24
    """Rooms for training; their furniture is in no validation room."""
    rooms_val: int = 8
    """Rooms for validation."""
    frames_per_room: int = 40
    """Frames of each camera walk."""
    color_height: int = 240
    """Height of colour, labels and instances, pixels."""
    color_width: int = 320
    """Width of colour, labels and instances, pixels."""
    depth_height: int = 240
    """Height of depth, pixels."""
    depth_width: int = 320
    """Width of depth, pixels."""
    focal: float = 0.9
    """Focal length as a share of the width; ScanNet's sensor has 0.9."""
    seed: int = 0
    """Decides rooms, furniture, walks and noise."""
    furniture: str | Literal["parametric"] = "parametric"
    """"parametric", or a folder of real models: index.json, or .sh3f archives."""
    kinds: tuple[str, ...] = tuple(RECIPES)
    """Kinds of room, dealt in turn."""
    point_spacing: float = 0.025
    """Mean distance of the surface's points in metres. Half of data.voxel_size fills the voxels of a surface; at 0.025, those of
    2 cm of Pri3D's preset paper stay empty by half, and those of 10 cm of its preset laptop are full."""
    noise: SensorNoise = field(default_factory=SensorNoise)
    """Noise of the sensor; labels are exact always."""


def check(config: RoomsConfig) -> None:
    """Raise :class:`UserError` for settings that make no data set."""
    sizes = (config.color_height, config.color_width, config.depth_height, config.depth_width)
    if config.rooms_train < 0 or config.rooms_val < 0 or config.rooms_train + config.rooms_val < 1:
        raise UserError("no rooms asked for: set rooms_train or rooms_val above 0")
    if config.frames_per_room < 1 or min(sizes) < 2 or config.focal <= 0 or config.point_spacing <= 0:
        raise UserError("frames_per_room, image sizes, focal and point_spacing must be positive")
    if config.color_height * config.depth_width != config.color_width * config.depth_height:
        raise UserError(
            f"colour and depth must have one aspect ratio, not {sizes[1]}x{sizes[0]} and {sizes[3]}x{sizes[2]}"
        )
    unknown = set(config.kinds) - set(RECIPES)
    if unknown or not config.kinds:
        raise UserError(f"unknown kinds of room {sorted(unknown)}: there are {', '.join(RECIPES)}")


def intrinsics(config: RoomsConfig, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Return the pinhole of (height, width) pixels with its principal point in the middle of the image."""
    height, width = size
    focal = config.focal * width
    return np.array([[focal, 0.0, (width - 1) / 2.0], [0.0, focal, (height - 1) / 2.0], [0.0, 0.0, 1.0]])
