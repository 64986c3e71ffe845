"""Scenes from above with the boxes of their objects and those that were found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw

from sem3d.evaluation.figures.canvas import beside, colour, legend, panel, stacked, text_line
from sem3d.evaluation.figures.from_above import seen_from_above
from sem3d.geometry.boxes import ground_corners

PANEL_WIDTH = 320
LINE = 2


@dataclass(frozen=True, eq=False)
class DrawnBoxes:
    """Boxes of one scene and the class of each."""

    boxes: Float[np.ndarray, "box 7"]
    classes: Int[np.ndarray, " box"]


@dataclass(frozen=True, eq=False)
class DrawnScene:
    """Voxels of a scene with their colours, its objects, and what was found of them."""

    voxel: Int[np.ndarray, "voxel 3"]
    color: UInt8[np.ndarray, "voxel 3"]
    objects: DrawnBoxes
    found: DrawnBoxes


def box_sheet(
    scenes: Sequence[DrawnScene],
    voxel_size: float,
    cut: float,
    palette: UInt8[np.ndarray, "class 3"],
    names: Sequence[str],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one row a scene: seen from above, with the outlines of its objects, and of what was found; below, their colours.

    What lies more than ``cut`` metres above the lowest voxel is left out.
    """
    rows = []
    for scene in scenes:
        low = scene.voxel[scene.voxel[:, 2] - scene.voxel[:, 2].min() <= cut / voxel_size]
        plain = panel(
            seen_from_above(scene.voxel, scene.color, cut / voxel_size), PANEL_WIDTH, Image.Resampling.NEAREST
        )
        corner = np.array([low[:, 0].min(), low[:, 1].max() + 1]) * voxel_size
        scale = PANEL_WIDTH / (np.ptp(low[:, 0]) + 1) / voxel_size
        drawn = [outlined(plain, one, corner, scale, palette) for one in (scene.objects, scene.found)]
        rows.append(beside([plain, *drawn]))
    shown = np.unique(np.concatenate([one.classes for scene in scenes for one in (scene.objects, scene.found)]))
    headings = beside([text_line(name, PANEL_WIDTH, centred=True) for name in ("scene", "objects", "found")])
    entries = [(colour(palette[number]), names[int(number)]) for number in shown]
    return stacked([headings, *rows, legend(entries, headings.width)])


def outlined(
    picture: Image.Image,
    drawn: DrawnBoxes,
    corner: Float[np.ndarray, "2"],
    scale: float,
    palette: UInt8[np.ndarray, "class 3"],
) -> Image.Image:
    """Return the picture with outlines of boxes; its upper left ``corner`` is in metres, ``scale`` in pixels a metre."""
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    pixels = (ground_corners(drawn.boxes) - corner) * np.array([scale, -scale])
    for ground, number in zip(pixels, drawn.classes, strict=True):
        draw.polygon([(float(x), float(y)) for x, y in ground], outline=colour(palette[number]), width=LINE)
    return picture
