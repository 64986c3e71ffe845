"""Pictures of reconstructed objects: the input beside its mesh from around, and how pseudo-labels came about."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sem3d.evaluation.figures.canvas import beside, panel, stacked, text_line
from sem3d.evaluation.figures.plot import COLOURS, MARKERS, empty_plot, rendered

PANEL = 128
Rendered = UInt8[np.ndarray, "4 _ _"]


def reconstruction_sheet(
    inputs: Sequence[Rendered], turns: Sequence[Sequence[Rendered]], headings: Sequence[str]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one row an object: its image, then pictures of its mesh, all RGBA over black; a heading for each column."""
    rows = [
        beside([_shown(picture) for picture in (image, *around)]) for image, around in zip(inputs, turns, strict=True)
    ]
    return stacked([beside([text_line(name, PANEL, centred=True) for name in headings]), *rows])


def _shown(picture: Rendered) -> Image.Image:
    return panel(on_paper(picture), PANEL, Image.Resampling.BICUBIC)


def on_paper(picture: Rendered) -> UInt8[np.ndarray, "height width 3"]:
    """Put RGBA whose colours are premultiplied, on white."""
    color, alpha = picture[:3].astype(np.int64), picture[3].astype(np.int64)
    return (color + 255 - alpha).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def label_history(history: Sequence[dict[str, float]], views: int) -> UInt8[np.ndarray, "height width 3"]:
    """Plot the shares of images with a pseudo-label and of those that are right, and voxel IoU, by step (SSR, Figure
    4).

    The IoU is the mean over ``views`` views of each held-out object.
    """
    from matplotlib.ticker import PercentFormatter

    figure, axes = empty_plot(6.0, 3.6)
    names = {
        "coverage": "of the unlabelled images have a label",
        "accuracy": "of these labels are right",
        "voxel_iou": f"voxel IoU on held-out objects, {views} view{'s' * (views != 1)} each",
    }
    for number, (key, meaning) in enumerate(names.items()):
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            steps, shares = zip(*points, strict=True)
            axes.plot(steps, shares, color=COLOURS[number], marker=MARKERS[number], label=meaning)
    axes.set(xlabel="step", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    return rendered(figure)
