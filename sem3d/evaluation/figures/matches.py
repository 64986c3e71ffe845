"""Matches between two views, drawn as lines from the anchor to the positive."""

import colorsys
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Num, UInt8
from PIL import Image, ImageDraw

from sem3d.evaluation.figures.canvas import GAP, PAPER, Colour, beside, legend, panel, stacked, text_line

PANEL_WIDTH = 640
SMOOTHING = 2
RIGHT: Colour = (0, 190, 90)
WRONG: Colour = (225, 40, 50)


def draw_matches(
    anchor_image: UInt8[np.ndarray, "_ _ 3"],
    positive_image: UInt8[np.ndarray, "_ _ 3"],
    anchor_pixels: Num[np.ndarray, "pair 2"],
    positive_pixels: Num[np.ndarray, "pair 2"],
    *,
    limit: int = 40,
    correct: Bool[np.ndarray, "pair"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw anchor and positive side by side with at most ``limit`` matches, taken evenly from all.

    Pixels are (u, v) at the size of their image. A line's hue is the direction of its anchor pixel from the image
    centre, so neighbours share a colour and a match that strays stands out. With ``correct``, right matches are green
    with dots and wrong ones red with crosses, and the legend counts all of them.
    """
    panels = [panel(image, PANEL_WIDTH, Image.Resampling.BICUBIC) for image in (anchor_image, positive_image)]
    pictures = beside(panels)
    total = len(anchor_pixels)
    drawn = np.unique(np.linspace(0, total - 1, min(limit, total)).round().astype(int))
    starts = _on_canvas(anchor_pixels[drawn], anchor_image.shape[1])
    ends = _on_canvas(positive_pixels[drawn], positive_image.shape[1])
    ends[:, 0] += (PANEL_WIDTH + GAP) * SMOOTHING
    overlay = Image.new("RGBA", (pictures.width * SMOOTHING, pictures.height * SMOOTHING), (0, 0, 0, 0))
    draw = ImageDraw.Draw(overlay)
    middle = np.array(panels[0].size) * SMOOTHING / 2
    for row, start, end in zip(drawn, starts, ends, strict=True):
        colour = _hue(start - middle) if correct is None else RIGHT if correct[row] else WRONG
        _draw_match(draw, start, end, colour, crossed=correct is not None and not correct[row])
    overlay = overlay.resize(pictures.size, Image.Resampling.LANCZOS)
    pictures.paste(overlay, (0, 0), overlay)
    headings = beside([text_line(name, PANEL_WIDTH, centred=True) for name in ("anchor", "positive")])
    return stacked([headings, pictures, _caption(len(drawn), total, correct, pictures.width)])


def draw_before_and_after(
    anchor_image: UInt8[np.ndarray, "_ _ 3"],
    positive_image: UInt8[np.ndarray, "_ _ 3"],
    anchor_pixels: Num[np.ndarray, "pair 2"],
    found: Mapping[str, tuple[Num[np.ndarray, "pair 2"], Bool[np.ndarray, "pair"]]],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the same matches of one pair of views as several networks find them, under one another.

    ``found`` has by heading the pixels in the positive view, and which of them are right.
    """
    parts = []
    for heading, (pixels, correct) in found.items():
        sheet = Image.fromarray(draw_matches(anchor_image, positive_image, anchor_pixels, pixels, correct=correct))
        parts += [text_line(heading, sheet.width, centred=True), sheet]
    return stacked(parts)


def _on_canvas(pixels: np.ndarray, width: int) -> np.ndarray:
    scale = SMOOTHING * PANEL_WIDTH / width
    return (pixels.astype(np.float64) + 0.5) * scale - 0.5


def _hue(direction: np.ndarray) -> Colour:
    turn = float(np.arctan2(direction[1], direction[0])) / (2 * np.pi)
    red, green, blue = colorsys.hsv_to_rgb(turn % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_match(
    draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray, colour: Colour, *, crossed: bool
) -> None:
    draw.line([tuple(start), tuple(end)], fill=(*colour, 190), width=SMOOTHING + 2)
    reach = 4.5 * SMOOTHING
    for u, v in (start, end):
        if crossed:
            for edge, width in ((PAPER, 4 * SMOOTHING), (colour, 2 * SMOOTHING)):
                draw.line([u - reach, v - reach, u + reach, v + reach], fill=edge, width=width)
                draw.line([u - reach, v + reach, u + reach, v - reach], fill=edge, width=width)
        else:
            draw.ellipse([u - reach, v - reach, u + reach, v + reach], fill=colour, outline=PAPER, width=SMOOTHING)


def _caption(drawn: int, total: int, correct: np.ndarray | None, width: int) -> Image.Image:
    if total == 0:
        return text_line("no matches", width)
    if correct is None:
        return text_line(f"{drawn} of {total} matches drawn, coloured by where they start in the anchor", width)
    right = int(correct.sum())
    entries = [
        (RIGHT, f"right (dots): {right}, {right / total:.1%}"),
        (WRONG, f"wrong (crosses): {total - right}; {drawn} of {total} drawn"),
    ]
    return legend(entries, width)
