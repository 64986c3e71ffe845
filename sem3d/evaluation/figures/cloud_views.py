"""Clouds of points seen from the side, in colours of their own, with marks on some of them."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw

from sem3d.evaluation.figures.canvas import PAPER, Colour

SIDE = 320
TURN, TILT = 0.6, 0.35
"""Radians that the cloud is turned to its right and tilted towards the beholder."""


def draw_cloud(
    points: Float[np.ndarray, "point 3"],
    colors: UInt8[np.ndarray, "point 3"],
    marked: Int[np.ndarray, " mark"] | None = None,
    mark_colors: UInt8[np.ndarray, "mark 3"] | None = None,
    side: int = SIDE,
) -> UInt8[np.ndarray, "side side 3"]:
    """Draw points of an object with y up and its front at -z, seen from its front, the nearer ones over the others.

    Points ``marked`` by number are discs in ``mark_colors``, over everything.
    """
    places = seen_from_the_front(points, side)
    order = np.argsort(-places[:, 2])
    picture = Image.new("RGB", (side, side), PAPER)
    draw = ImageDraw.Draw(picture)
    reach = max(1.0, side / 160)
    for number in order:
        disc(draw, places[number], reach, colors[number])
    for row, number in enumerate(() if marked is None else marked):
        disc(draw, places[number], 3.2 * reach, PAPER)
        disc(draw, places[number], 2.4 * reach, (200, 30, 40) if mark_colors is None else mark_colors[row])
    return np.asarray(picture)


def seen_from_the_front(points: Float[np.ndarray, "point 3"], side: int) -> Float[np.ndarray, "point 3"]:
    """Return u, v in pixels and depth of points, which fill the picture."""
    cosine, sine = np.cos(TURN), np.sin(TURN)
    turned = points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    cosine, sine = np.cos(TILT), np.sin(TILT)
    turned = turned @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    middle = (turned.max(axis=0) + turned.min(axis=0)) / 2
    extent = max(1e-9, float(np.ptp(turned[:, :2], axis=0).max()))
    flat = (turned - middle) * (0.9 * side / extent)
    return np.stack([side / 2 - flat[:, 0], side / 2 - flat[:, 1], flat[:, 2]], axis=1)


def disc(draw: ImageDraw.ImageDraw, place: Float[np.ndarray, "3"], reach: float, color: "Colour | np.ndarray") -> None:
    """Draw a filled circle."""
    u, v = float(place[0]), float(place[1])
    draw.ellipse([u - reach, v - reach, u + reach, v + reach], fill=tuple(int(value) for value in color))
