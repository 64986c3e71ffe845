"""Features as colours: their three strongest directions, shared by all maps so that colours can be compared."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

LOW_PERCENTILE, HIGH_PERCENTILE = 2.0, 98.0


def pca_features(features: Sequence[Float[np.ndarray, "dim _ _"]]) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """Return each map as RGB of its own size: joint principal components, each scaled from its 2nd to its 98th percentile.

    A component's sign is fixed by making its largest loading positive, so equal features give equal pictures. Cells
    that are not finite are black and take no part; a component without spread is mid-grey.
    """
    dim = features[0].shape[0]
    cells = np.concatenate([each.reshape(dim, -1).T for each in features]).astype(np.float64)
    finite = np.isfinite(cells).all(axis=1)
    colours = np.zeros((len(cells), 3), dtype=np.uint8)
    if finite.any():
        colours[finite] = np.round(255 * _robust_unit(_three_components(cells[finite]))).astype(np.uint8)
    sizes = [each.shape[1:] for each in features]
    parts = np.split(colours, np.cumsum([height * width for height, width in sizes])[:-1])
    return [part.reshape(*size, 3) for part, size in zip(parts, sizes, strict=True)]


def _three_components(cells: np.ndarray) -> np.ndarray:
    centred = cells - cells.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    strongest = directions[:, ::-1][:, :3]
    largest = np.abs(strongest).argmax(axis=0)
    strongest = strongest * np.sign(strongest[largest, np.arange(strongest.shape[1])])
    projected = centred @ strongest
    return np.pad(projected, ((0, 0), (0, 3 - projected.shape[1])))


def _robust_unit(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [LOW_PERCENTILE, HIGH_PERCENTILE], axis=0)
    spread = high - low
    flat = spread <= 1e-9 * max(spread.max(), 1e-30)
    return np.where(flat, 0.5, np.clip((values - low) / np.where(flat, 1.0, spread), 0.0, 1.0))
