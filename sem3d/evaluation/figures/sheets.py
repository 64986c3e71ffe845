"""Contact sheets: images beside their labels and predictions, or beside their features."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image

from sem3d.errors import UserError
from sem3d.evaluation.figures.canvas import beside, colour, legend, panel, stacked, text_line
from sem3d.evaluation.figures.principal import pca_features

PANEL_WIDTH = 320

Images = Sequence[UInt8[np.ndarray, "_ _ 3"]] | UInt8[np.ndarray, "_ _ _ 3"]
LabelMaps = Sequence[Integer[np.ndarray, "_ _"]] | Integer[np.ndarray, "_ _ _"]


def prediction_sheet(
    images: Images,
    labels: LabelMaps,
    predictions: LabelMaps,
    palette: UInt8[np.ndarray, "class 3"],
    class_names: Sequence[str],
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one row an image: image, label, prediction; below, the colours of the classes that appear anywhere.

    Label maps may have another size than the image. Raises :class:`UserError` on an id without a colour and a name.
    """
    present = sorted({int(label) for ids in (*labels, *predictions) for label in np.unique(ids)})
    known = min(len(palette), len(class_names))
    if present and not (present[0] >= 0 and present[-1] < known):
        raise UserError(
            f"label ids span {present[0]} to {present[-1]}, but colours and names exist for 0 to {known - 1}"
        )
    rows = [
        beside([panel(image, PANEL_WIDTH, Image.Resampling.BICUBIC), *(_painted(ids, palette) for ids in pair)])
        for image, *pair in zip(images, labels, predictions, strict=True)
    ]
    headings = _headings("image", "label", "prediction")
    entries = [(colour(palette[label]), class_names[label]) for label in present]
    return stacked([headings, *rows, legend(entries, headings.width)])


def overlay_sheet(
    image: UInt8[np.ndarray, "height width 3"],
    labels: Integer[np.ndarray, "height width"],
    palette: UInt8[np.ndarray, "class 3"],
    class_names: Sequence[str],
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Draw an image beside itself under the colours of its labels, 0 left as it is; below, the colours of those that appear."""
    blended = (image.astype(np.uint16) + palette[labels]) // 2
    painted = np.where((labels > 0)[..., None], blended, image).astype(np.uint8)
    width = 2 * PANEL_WIDTH
    row = beside([panel(picture, width, Image.Resampling.BICUBIC) for picture in (image, painted)])
    entries = [(colour(palette[label]), class_names[int(label)]) for label in np.unique(labels)]
    return stacked([row, legend(entries, row.width)])


def feature_sheet(
    images: Images, features: Sequence[Float[np.ndarray, "dim _ _"]]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one row an image: image, and its feature map as colours (:func:`pca_features` over all maps together)."""
    rows = [
        beside(
            [
                panel(image, PANEL_WIDTH, Image.Resampling.BICUBIC),
                Image.fromarray(colours).resize(_panel_size(image), Image.Resampling.BILINEAR),
            ]
        )
        for image, colours in zip(images, pca_features(features), strict=True)
    ]
    return stacked([_headings("image", "features (joint PCA)"), *rows])


def _headings(*names: str) -> Image.Image:
    return beside([text_line(name, PANEL_WIDTH, centred=True) for name in names])


def _painted(ids: np.ndarray, palette: np.ndarray) -> Image.Image:
    return panel(palette[ids], PANEL_WIDTH, Image.Resampling.NEAREST)


def _panel_size(image: np.ndarray) -> tuple[int, int]:
    return PANEL_WIDTH, max(1, round(image.shape[0] * PANEL_WIDTH / image.shape[1]))
