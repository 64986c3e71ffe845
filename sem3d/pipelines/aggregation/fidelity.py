"""Fidelity errors: distances of points from what people marked, in the space of an embedding (2D-3D-2D, Eq. 4), and minima."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from sem3d.datasets.objects.raw_keypoints import RawKeypoints
from sem3d.geometry.geodesics import geodesic_distances


def saliency(
    cloud: Float[np.ndarray, "point 3"], marks: Int[np.ndarray, " mark"], deviation: float
) -> Float64[np.ndarray, "mark point"]:
    """Return for each mark the probability that each point of the cloud is meant: a Gaussian about it (3.4.2)."""
    squares = np.square(cloud[marks][:, None].astype(np.float64) - cloud[None]).sum(axis=2)
    weights = np.exp(-squares / (2 * deviation**2))
    return weights / weights.sum(axis=1, keepdims=True)


def expected_distances(
    embedding: Float[np.ndarray, "point dim"],
    cloud: Float[np.ndarray, "point 3"],
    people: list[Int[np.ndarray, " mark"]],
    deviation: float,
) -> Float64[np.ndarray, " point"]:
    """Return for each point the expected squared embedding distance from each person's mark that is nearest to it, summed over
    people: the inner part of Eq. 4.
    """
    values = embedding.astype(np.float64)
    squares = np.square(values).sum(axis=1)
    total = np.zeros(len(cloud))
    for marks in people:
        if not len(marks):
            continue
        # 1. which mark of this person is meant by each point: the nearest in the embedding (point)
        marked = values[marks]
        apart = squares[:, None] - 2 * values @ marked.T + np.square(marked).sum(axis=1)
        nearest = apart.argmin(axis=1)
        # 2. the expectation of |g(x) - g(p)|^2 over the points x that the mark may mean (point mark)
        weights = saliency(cloud, marks, deviation)
        expected = squares[:, None] - 2 * values @ (weights @ values).T + weights @ squares
        total += np.maximum(expected[np.arange(len(cloud)), nearest], 0)
    return total


def fidelity_errors(
    embeddings: Float[np.ndarray, "model point dim"], raw: RawKeypoints, deviation: float
) -> Float64[np.ndarray, "model point"]:
    """Return the fidelity error of each point: it is carried to its nearest point in the embedding on every other model, and the
    distances of those from people's marks are averaged.
    """
    inner = [
        expected_distances(embeddings[model], raw.clouds[model], raw.marks_of(model), deviation)
        for model in range(raw.models)
    ]
    values = embeddings.astype(np.float32)
    squares = np.square(values).sum(axis=2)
    errors = np.zeros(raw.clouds.shape[:2])
    for other in range(raw.models):
        for model in range(raw.models):
            if model != other:
                nearest = (squares[other] - 2 * values[model] @ values[other].T).argmin(axis=1)
                errors[model] += inner[other][nearest]
    return errors / max(1, raw.models - 1)


def smoothed(
    values: Float[np.ndarray, " point"], distances: Float[np.ndarray, "point point"], deviation: float
) -> Float64[np.ndarray, " point"]:
    """Return values averaged with a Gaussian of geodesic distance."""
    weights = np.exp(-np.square(distances) / (2 * deviation**2))
    return weights @ values.astype(np.float64) / weights.sum(axis=1)


def minima(
    values: Float[np.ndarray, " point"], distances: Float[np.ndarray, "point point"], neighbourhood: int
) -> Bool[np.ndarray, " point"]:
    """Return which points have the least value of their ``neighbourhood`` nearest points along the surface, themselves among
    them; the first of equal ones.
    """
    own = distances.copy()
    np.fill_diagonal(own, -1)
    nearest = np.argsort(own, axis=1, kind="stable")[:, :neighbourhood]
    reached = np.isfinite(np.take_along_axis(own, nearest, axis=1))
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    around = np.where(reached, order[nearest], len(values))
    return around.min(axis=1) == order


def surface_distances(clouds: Float[np.ndarray, "model point 3"]) -> list[Float64[np.ndarray, "point point"]]:
    """Return geodesic distances between all points of each model."""
    return [geodesic_distances(cloud, np.arange(len(cloud))) for cloud in clouds]
