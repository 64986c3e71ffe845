"""Panels, headings and legends on white paper: what the sheets and match pictures are laid out with."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
GAP = 8
TEXT_SIZE = 15
INK: Colour = (30, 30, 30)
PAPER: Colour = (255, 255, 255)


@lru_cache(maxsize=8)
def font(size: int = TEXT_SIZE) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib brings along, so pictures look alike on every machine."""
    import matplotlib  # a second with its axes, which workers that draw nothing need not wait for

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def colour(entry: UInt8[np.ndarray, "3"]) -> Colour:
    """Return a row of a palette as a colour."""
    red, green, blue = (int(value) for value in entry)
    return red, green, blue


def panel(image: UInt8[np.ndarray, "height width 3"], width: int, resample: Image.Resampling) -> Image.Image:
    """Return the picture at ``width`` pixels, its aspect kept."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return Image.fromarray(np.ascontiguousarray(image)).resize((width, height), resample)


def text_line(text: str, width: int, *, centred: bool = False) -> Image.Image:
    """Draw one line of text on paper ``width`` wide."""
    line = Image.new("RGB", (width, TEXT_SIZE + 9), PAPER)
    position, anchor = ((width // 2, 3), "ma") if centred else ((0, 3), "la")
    ImageDraw.Draw(line).text(position, text, fill=INK, font=font(), anchor=anchor)
    return line


def legend(entries: Sequence[tuple[Colour, str]], width: int) -> Image.Image:
    """Draw colour swatches with their names, in as many lines as ``width`` needs."""
    swatch, line_height = TEXT_SIZE, TEXT_SIZE + 10
    places, x, y = [], 0, 0
    for _, name in entries:
        needed = swatch + 6 + round(font().getlength(name))
        if x and x + needed > width:
            x, y = 0, y + line_height
        places.append((x, y))
        x += needed + 2 * GAP
    sheet = Image.new("RGB", (width, y + line_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for (colour, name), (left, top) in zip(entries, places, strict=True):
        draw.rectangle([left, top + 4, left + swatch, top + 4 + swatch], fill=colour, outline=INK)
        draw.text((left + swatch + 6, top + 2), name, fill=INK, font=font())
    return sheet


def beside(panels: Sequence[Image.Image]) -> Image.Image:
    """Put panels in one row, tops aligned."""
    width = sum(part.width for part in panels) + GAP * (len(panels) - 1)
    row = Image.new("RGB", (width, max(part.height for part in panels)), PAPER)
    left = 0
    for part in panels:
        row.paste(part, (left, 0))
        left += part.width + GAP
    return row


def stacked(parts: Sequence[Image.Image]) -> UInt8[np.ndarray, "height width 3"]:
    """Put parts under one another inside a margin, as an array."""
    width = max(part.width for part in parts) + 2 * GAP
    sheet = Image.new("RGB", (width, sum(part.height + GAP for part in parts) + GAP), PAPER)
    top = GAP
    for part in parts:
        sheet.paste(part, (GAP, top))
        top += part.height + GAP
    return np.asarray(sheet)
