"""A grid of small pictures under headings, such as true and rendered views side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.evaluation.figures.canvas import beside, colour, legend, panel, stacked, text_line

SIDE = 160


def picture_grid(
    columns: Mapping[str, Sequence[UInt8[np.ndarray, "_ _ 3"]]],
    palette: UInt8[np.ndarray, "_ 3"] | None = None,
    names: Sequence[str] = (),
    side: int = SIDE,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw a column of pictures, ``side`` wide, under each heading, and below what the colours of the ``palette`` mean."""
    rows = [
        beside([panel(one, side, Image.Resampling.NEAREST) for one in row])
        for row in zip(*columns.values(), strict=True)
    ]
    headings = beside([text_line(name, side, centred=True) for name in columns])
    meanings = [] if palette is None or not names else list(zip(map(colour, palette), names, strict=True))
    return stacked([headings, *rows, *([legend(meanings, headings.width)] if meanings else [])])
