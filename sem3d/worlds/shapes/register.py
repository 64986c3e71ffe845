"""The register of shape families: kind -> drawing function, ShapeNet synset, parts and keypoints."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sem3d.errors import UserError
from sem3d.worlds.grammar.chairs import CHAIR, chair
from sem3d.worlds.grammar.sketch import Sketch, Vocabulary
from sem3d.worlds.grammar.tables import TABLE, table
from sem3d.worlds.shapes.airplanes import AIRPLANE, airplane
from sem3d.worlds.shapes.cars import CAR, car
from sem3d.worlds.shapes.lamps import LAMP, lamp
from sem3d.worlds.shapes.shape import Shape, assemble


@dataclass(frozen=True)
class Family:
    """Drawing of a kind, with the names of its parts and keypoints; a keypoint's place in the list is its semantic id."""

    draw: Callable[[np.random.Generator], Sketch]
    synset: str
    vocabulary: Vocabulary


FAMILIES = {
    "airplane": Family(airplane, "02691156", AIRPLANE),
    "car": Family(car, "02958343", CAR),
    "chair": Family(chair, "03001627", CHAIR),
    "lamp": Family(lamp, "03636649", LAMP),
    "table": Family(table, "04379243", TABLE),
}


def generated_shape(kind: str, seed: int, number: int) -> Shape:
    """Draw instance ``number`` of a family, the same for the same arguments. Raises :class:`UserError` for an unknown kind."""
    if kind not in FAMILIES:
        raise UserError(f"no shape family '{kind}': choose of {', '.join(sorted(FAMILIES))}")
    family = FAMILIES[kind]
    rng = np.random.default_rng([seed, number, int(family.synset)])
    return assemble(kind, f"{kind}-{seed}-{number:05d}", family.draw(rng))


def mirror_name(name: str) -> str:
    """Name the keypoint that a reflection at the plane between left and right swaps with ``name``; itself if it has no side."""
    for side, other in (("left", "right"), ("right", "left")):
        if name == side or name.endswith(f"_{side}"):
            return name.removesuffix(side) + other
    return name
