"""Dots in the plane, coloured by class, one panel beside the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image, ImageDraw

from sem3d.evaluation.figures.canvas import PAPER, beside, colour, legend, stacked, text_line

PANEL_SIDE, MARGIN = 420, 10


@dataclass(frozen=True, eq=False)
class Dots:
    """Dots of one panel."""

    heading: str
    places: Float[np.ndarray, "dot 2"]
    classes: Integer[np.ndarray, " dot"]


def scatter_sheet(
    panels: Sequence[Dots], palette: UInt8[np.ndarray, "class 3"], names: Sequence[str]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the panels in a row, each as large as its dots reach; below, the classes by falling number of dots."""
    drawn = [panel_of(dots, palette) for dots in panels]
    headings = beside([text_line(dots.heading, PANEL_SIDE, centred=True) for dots in panels])
    counts = np.bincount(np.concatenate([dots.classes for dots in panels]).astype(np.int64), minlength=len(names))
    shown = [number for number in np.argsort(-counts, kind="stable") if counts[number]]
    entries = [(colour(palette[number]), names[int(number)]) for number in shown]
    return stacked([headings, beside(drawn), legend(entries, headings.width)])


def panel_of(dots: Dots, palette: UInt8[np.ndarray, "class 3"]) -> Image.Image:
    """Draw the dots of one panel; the fewer, the larger."""
    picture = Image.new("RGB", (PANEL_SIDE, PANEL_SIDE), PAPER)
    draw = ImageDraw.Draw(picture)
    low, high = dots.places.min(axis=0), dots.places.max(axis=0)
    side = max(float((high - low).max()), 1e-12)
    radius = min(6.0, max(1.5, 60 / np.sqrt(len(dots.places))))
    pixels = MARGIN + (dots.places - (low + high) / 2) / side * (PANEL_SIDE - 2 * MARGIN) + (PANEL_SIDE / 2 - MARGIN)
    for (x, y), number in zip(pixels.tolist(), dots.classes, strict=True):
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour(palette[int(number)]))
    return picture
