"""The register of generated worlds: data that stand in where a user has none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sem3d.registers import resolve


@dataclass(frozen=True, kw_only=True)
class World:
    """A kind of generated data."""

    small: Callable[[], Any]
    """Configuration that the laptop presets learn from; its type is the configuration of all such worlds."""
    folder: Callable[[Path, Any], Path]
    """Place of the data of a configuration in a storage folder."""
    make: Callable[[Path, Any], str]
    """Makes the data in that place unless they are there, and returns a line on them; Ray must be connected."""
    ahead: Callable[[Path, Any, float], str] = lambda _folder, _config, _cpus: ""
    """Returns a line on what :attr:`make` will do there with so many CPUs and about how long it takes; "" where all is done."""
    so_far: Callable[[Path], str] = lambda _folder: ""
    """Returns a line on how far :attr:`make` is."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Leaves that training on it sets, where a method has them."""
    fine_enough: Callable[[Any, Mapping[str, Any]], Any] = lambda config, _: config
    """Takes a configuration and the leaves of a training on its data, and returns one that is fine enough for that."""


WORLDS = {
    "rooms": "sem3d.worlds.rooms.world:ROOMS",
    "shapes": "sem3d.worlds.shapes.world:SHAPES",
    "posed_shapes": "sem3d.worlds.posed.shapes:POSED_SHAPES",
    "keypoint_shapes": "sem3d.worlds.keypoint_shapes:KEYPOINT_SHAPES",
    "sketched_shapes": "sem3d.worlds.sketched.shapes:SKETCHED_SHAPES",
}
"""Worlds by the name that a method's data give as ``generated``."""


def world(name: str) -> World:
    """Return the world of that name."""
    return resolve(WORLDS[name])


def begun_so_far(folder: Path, members: str, noun: str) -> str:
    """Return how many members of a world are begun in the folder that is not yet named ``folder``.

    Nothing where none is, or where the folder gets its name just then.
    """
    try:
        begun = sum(1 for _ in folder.parent.glob(f".{folder.name}.building-*/{members}"))
    except OSError:
        return ""
    return f"       {noun} so far: {begun}" if begun else ""
