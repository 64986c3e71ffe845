"""Candidates of all models grouped by meaning: their embeddings in the plane by t-SNE, clusters of these by DBSCAN (3.4.4)."""

import numpy as np
from jaxtyping import Float, Float64, Int

NOISE = -1
"""Label of candidates that are in no cluster."""


def scaled_plane(embeddings: Float[np.ndarray, "candidate dim"], seed: int) -> Float64[np.ndarray, "candidate 2"]:
    """Return t-SNE's places of embeddings, scaled to a root mean square distance of 1 from their centre; all one place where
    there are too few to be laid out.
    """
    from sem3d.evaluation.plane import FEWEST, in_the_plane  # imports scikit-learn, which takes seconds

    if len(embeddings) < FEWEST:
        return np.zeros((len(embeddings), 2))
    places = in_the_plane(embeddings, seed).astype(np.float64)
    places -= places.mean(axis=0)
    return places / max(1e-12, float(np.sqrt(np.square(places).sum(axis=1).mean())))


def clusters(places: Float[np.ndarray, "candidate axis"], reach: float, fewest: int) -> Int[np.ndarray, " candidate"]:
    """Return DBSCAN's cluster of each place, -1 for noise: ``fewest`` within ``reach`` make a cluster."""
    from sklearn.cluster import DBSCAN

    return DBSCAN(eps=reach, min_samples=fewest).fit_predict(places).astype(np.int64)
