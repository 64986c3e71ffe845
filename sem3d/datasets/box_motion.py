"""Motions of a scene that leave its boxes upright: mirrors, a turn about the vertical, a scale."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sem3d.bounds import Share, ShareBelowOne
from sem3d.datasets.augment_points import rotation


@dataclass(frozen=True, kw_only=True)
class BoxAugmentation:
    """Motions of a scene that leave boxes upright; the defaults are VoteNet's for ScanNet."""

    mirror_probability: Share = 0.5
    """Probability with which an axis is mirrored."""
    mirrored: Literal["x", "xy"] = "xy"
    """Axes that are mirrored, each by itself."""
    turn: float = 5.0
    """Turn about the vertical is drawn from -+ this, degrees."""
    scale: ShareBelowOne = 0.0
    """Factor of all lengths is drawn from 1 -+ this."""


@dataclass(frozen=True)
class Motion:
    """A mirror, a turn about the vertical through the origin, and a scale."""

    signs: tuple[float, float]
    """-1 where x, and y, is mirrored."""
    angle: float
    """Radians."""
    factor: float

    def of_points(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Return moved points."""
        return self.factor * (points * np.array([*self.signs, 1.0]) @ rotation(np.array([0.0, 0.0, self.angle])).T)

    def of_boxes(self, boxes: Float[np.ndarray, "box 7"]) -> Float[np.ndarray, "box 7"]:
        """Return moved boxes."""
        along, across = self.signs
        turned = np.arctan2(across * np.sin(boxes[:, 6]), along * np.cos(boxes[:, 6])) + self.angle
        return np.column_stack([self.of_points(boxes[:, :3]), self.factor * boxes[:, 3:6], turned])


STILL = Motion((1.0, 1.0), 0.0, 1.0)


def drawn_motion(config: BoxAugmentation, rng: np.random.Generator) -> Motion:
    """Return a motion; the same generator gives the same."""
    mirrored = (rng.random(2) < config.mirror_probability) & [True, config.mirrored == "xy"]
    angle, scale = rng.uniform(-1, 1, 2) * [np.radians(config.turn), config.scale]
    x, y = np.where(mirrored, -1.0, 1.0).tolist()
    return Motion((x, y), float(angle), float(1 + scale))
