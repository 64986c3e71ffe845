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
    true: Float[np.ndarray, "item 2"],
    found: Float[np.ndarray, "item 2"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw beside each picture two dials: azimuths from above, the object's front at the bottom, and elevations from the side,
    the sky at the top; green hands are true, red ones found.
    """
    # the camera at azimuth pi sees the front, which faces the bottom of the dial
    above = [dial([-own[0] - np.pi / 2 for own in (a, b)]) for a, b in zip(true, found, strict=True)]
    beside = [dial([own[1] - np.pi / 2 for own in (a, b)]) for a, b in zip(true, found, strict=True)]
    return picture_grid({"seen": list(pictures), "azimuth": above, "elevation": beside})


def dial(hands: Sequence[float]) -> UInt8[np.ndarray, "side side 3"]:
    """Draw a true and a found hand, in radians clockwise from the right."""
    picture = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(picture)
    middle, reach = SIDE / 2, 0.45 * SIDE
    draw.ellipse([middle - reach, middle - reach, middle + reach, middle + reach], outline=INK, width=2)
    for hand, colour, width in zip(hands, (TRUE, FOUND), (7, 3), strict=True):
        end = (middle + reach * float(np.cos(hand)), middle + reach * float(np.sin(hand)))
        draw.line([(middle, middle), end], fill=colour, width=width)
    return np.asarray(picture)
