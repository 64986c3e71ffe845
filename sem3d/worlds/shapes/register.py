"""The register of shape families: kind -> drawing function, ShapeNet synset, parts and keypoints."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sem3d.errors import UserError
from sem3d.worlds.shapes import airplanes, cars, chairs, lamps, tables
from sem3d.worlds.shapes.shape import Shape, Sketch, assemble


@dataclass(frozen=True)
class Family:
    """How a kind is drawn and what its parts and keypoints are called; a keypoint's place in the list is its semantic id."""

    draw: Callable[[np.random.Generator], Sketch]
    synset: str
    parts: tuple[str, ...]
    keypoints: tuple[str, ...]


FAMILIES = {
    "airplane": Family(airplanes.airplane, "02691156", airplanes.PARTS, airplanes.KEYPOINTS),
    "car": Family(cars.car, "02958343", cars.PARTS, cars.KEYPOINTS),
    "chair": Family(chairs.chair, "03001627", chairs.PARTS, chairs.KEYPOINTS),
    "lamp": Family(lamps.lamp, "03636649", lamps.PARTS, lamps.KEYPOINTS),
    "table": Family(tables.table, "04379243", tables.PARTS, tables.KEYPOINTS),
}


def generated_shape(kind: str, seed: int, number: int) -> Shape:
    """Instance ``number`` of a family, the same for the same arguments. Raises :class:`UserError` for an unknown kind."""
    if kind not in FAMILIES:
        raise UserError(f"no shape family '{kind}': choose of {', '.join(sorted(FAMILIES))}")
    family = FAMILIES[kind]
    rng = np.random.default_rng([seed, number, int(family.synset)])
    return assemble(kind, f"{kind}-{seed}-{number:05d}", family.draw(rng), family.parts, family.keypoints)


def mirror_name(name: str) -> str:
    """The keypoint that a reflection at the plane between left and right swaps with ``name``; itself if it has no side."""
    for side, other in (("left", "right"), ("right", "left")):
        if name == side or name.endswith(f"_{side}"):
            return name.removesuffix(side) + other
    return name
