"""The confusion matrix as a picture: where the pixels of each class went."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Num, UInt8

from sem3d.evaluation.figures.plot import empty_plot, rendered

INCHES_A_CLASS = 0.42


def confusion_figure(
    confusion: Num[np.ndarray, "class class"], class_names: Sequence[str], *, title: str = ""
) -> UInt8[np.ndarray, "height width 3"]:
    """Row-normalised percentages: rows are ground truth, columns predictions, a class without pixels is grey.

    Class 0 (ignored) has no row; its column appears only if a valid pixel was predicted 0.
    """
    counts = confusion[1:].astype(np.float64)
    columns = slice(0 if counts[:, 0].any() else 1, None)
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)[:, columns]
    rows, width = shares.shape
    figure, axes = empty_plot(2.6 + INCHES_A_CLASS * max(width, 6), 2.2 + INCHES_A_CLASS * max(rows, 4))
    axes.set_facecolor("0.93")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for row, column in np.argwhere(shares >= 0.5):
        share = shares[row, column]
        colour = "white" if share > 55 else "black"
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=colour)
    for row in np.flatnonzero(totals[:, 0] == 0):
        axes.text((width - 1) / 2, row, "no pixels", ha="center", va="center", fontsize=8, color="0.4")
    axes.set_xticks(range(width), class_names[columns], rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(rows), class_names[1:])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set(xlabel="prediction", ylabel="ground truth", title=title or "share of each class's pixels (%)")
    return rendered(figure)
