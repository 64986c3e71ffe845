"""Viewpoints on dials: azimuth round an object seen from above, elevation beside it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from sem3d.evaluation.figures.canvas import INK, PAPER, Colour
from sem3d.evaluation.figures.picture_grid import picture_grid

SIDE = 160
TRUE: Colour = (40, 140, 60)
FOUND: Colour = (200, 30, 40)


def viewpoint_dials(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    true: Float[np.ndarray, "item 2"] | None,
    found: Float[np.ndarray, "item 2"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw beside each picture two dials: azimuths from above, the object's front at the bottom, and elevations from the side,
    the sky at the top; green hands are true, where truth is known, red ones found.
    """
    hands = [[own] for own in found] if true is None else list(zip(true, found, strict=True))
    # the camera at azimuth pi sees the front, which faces the bottom of the dial
    above = [dial([-one[0] - np.pi / 2 for one in own]) for own in hands]
    beside = [dial([one[1] - np.pi / 2 for one in own]) for own in hands]
    return picture_grid({"seen": list(pictures), "azimuth": above, "elevation": beside})


def dial(hands: Sequence[float]) -> UInt8[np.ndarray, "side side 3"]:
    """Draw a true and a found hand, or a found one alone, in radians clockwise from the right."""
    picture = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(picture)
    middle, reach = SIDE / 2, 0.45 * SIDE
    draw.ellipse([middle - reach, middle - reach, middle + reach, middle + reach], outline=INK, width=2)
    for hand, colour, width in zip(hands, (TRUE, FOUND)[-len(hands) :], (7, 3)[-len(hands) :], strict=True):
        end = (middle + reach * float(np.cos(hand)), middle + reach * float(np.sin(hand)))
        draw.line([(middle, middle), end], fill=colour, width=width)
    return np.asarray(picture)
