"""Fidelity errors: distances of points from what people marked, in the space of an embedding (2D-3D-2D, Eq. 4), and minima.

Who has not marked a point counts, too: by the distance of another of their marks. Squared, these distances decide alone, and
errors are least between keypoints, far from all of them. Bounded, they count as one person without a mark there.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from sem3d.datasets.objects.raw_keypoints import RawKeypoints
from sem3d.geometry.geodesics import geodesic_distances

Distance = Literal["bounded", "squared"]
Saliency = Float64[np.ndarray, "_mark _point"]
"""Of each mark of one person on one model, the probability of each point."""


def saliency(
    cloud: Float[np.ndarray, "point 3"], marks: Int[np.ndarray, " mark"], deviation: float
) -> Float64[np.ndarray, "mark point"]:
    """Return for each mark the probability that each point of the cloud is meant: a Gaussian about it (3.4.2)."""
    squares = np.square(cloud[marks][:, None].astype(np.float64) - cloud[None]).sum(axis=2)
    weights = np.exp(-squares / (2 * deviation**2))
    return weights / weights.sum(axis=1, keepdims=True)


def spread_of_marks(
    embeddings: Float[np.ndarray, "model point dim"], raw: RawKeypoints, meant: list[list[Saliency]]
) -> float:
    """Return the median over all marks of the expected squared embedding distance of the points that a mark may mean from it."""
    found = []
    for model in range(raw.models):
        values = embeddings[model].astype(np.float64)
        for marks, weights in zip(raw.marks_of(model), meant[model], strict=True):
            found.append((weights * squared_distances(values[marks], values)).sum(axis=1))
    together = np.concatenate(found) if found else np.zeros(0)
    return float(np.median(together)) if len(together) else 0.0


def squared_distances(
    one: Float[np.ndarray, "point dim"], other: Float[np.ndarray, "other_point dim"]
) -> Float[np.ndarray, "point other_point"]:
    """Return the squared distance of each embedding of ``one`` from each of ``other``."""
    squares = np.square(one).sum(axis=1)[:, None] - 2 * one @ other.T + np.square(other).sum(axis=1)
    return np.maximum(squares, 0)


def expected_distances(
    embedding: Float[np.ndarray, "point dim"],
    people: list[Int[np.ndarray, " mark"]],
    meant: list[Saliency],
    spread: float | None,
) -> Float64[np.ndarray, " point"]:
    """Return for each point the expected embedding distance from each person's mark that is nearest to it, summed over people:
    the inner part of Eq. 4.

    ``meant`` holds the saliency of each person's marks. The paper's distance is the squared one, d (``spread`` None); a bounded
    one is 1 - exp(-d / (2 spread)).
    """
    values = embedding.astype(np.float64)
    apart = squared_distances(values, values)
    distance = apart if spread is None else 1 - np.exp(-apart / max(2 * spread, 1e-12))
    total = np.zeros(len(values))
    for marks, weights in zip(people, meant, strict=True):
        if not len(marks):
            continue
        # 1. which mark of this person is meant by each point: the nearest in the embedding (point)
        nearest = apart[:, marks].argmin(axis=1)
        # 2. the expectation over the points x that the mark may mean (point mark)
        expected = distance @ weights.T
        total += expected[np.arange(len(values)), nearest]
    return total


def fidelity_errors(
    embeddings: Float[np.ndarray, "model point dim"], raw: RawKeypoints, deviation: float, distance: Distance
) -> Float64[np.ndarray, "model point"]:
    """Return the fidelity error of each point: it is carried to its nearest point in the embedding on every other model, and the
    distances of those from people's marks are averaged.
    """
    meant = [
        [saliency(cloud, marks, deviation) for marks in raw.marks_of(model)] for model, cloud in enumerate(raw.clouds)
    ]
    spread = spread_of_marks(embeddings, raw, meant) if distance == "bounded" else None
    inner = [
        expected_distances(embeddings[model], raw.marks_of(model), meant[model], spread) for model in range(raw.models)
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
