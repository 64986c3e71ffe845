"""Features laid out in the plane, near ones near each other: t-SNE (van der Maaten and Hinton, 2008).

A doorway of scikit-learn, like the probes.
"""

import numpy as np
from jaxtyping import Float, Float32, Integer
from sklearn.manifold import TSNE

PERPLEXITY = 30.0
FEWEST = 4
"""Rows that can be laid out."""


def in_the_plane(features: Float[np.ndarray, "row dim"], seed: int) -> Float32[np.ndarray, "row 2"]:
    """Return places by t-SNE on unit features, from their principal axes; the same seed gives the same.

    Perplexity is 30, a third of the rows where there are fewer than 90. Raises ValueError for fewer than four rows.
    """
    if len(features) < FEWEST:
        raise ValueError(f"{len(features)} rows cannot be laid out, it takes {FEWEST}")
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    start = "pca" if unit.shape[1] > 1 and np.ptp(unit, axis=0).any() else "random"
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    return TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1).fit_transform(unit)


def neighbours_of_the_same_class(features: Float[np.ndarray, "row dim"], labels: Integer[np.ndarray, " row"]) -> float:
    """Return the share of rows whose most similar other row, by cosine, has the same label."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    return float((labels[similar.argmax(axis=1)] == labels).mean())
