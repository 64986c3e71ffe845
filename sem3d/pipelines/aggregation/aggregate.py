"""Marks of several people made one set of keypoints with meanings: the alternating minimisation of 2D-3D-2D (3.4.3).

One iteration trains g, finds the minima of the fidelity error on each model, and clusters them by their embedding. The first
trains g on everybody's own indices, a second one on the clusters of the first; the paper finds one enough.
"""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from jaxtyping import Float, Float64, Int

from sem3d.bounds import AtLeastOne, Bounds, Positive, Seed, Share
from sem3d.datasets.objects.pcd import POINTS
from sem3d.datasets.objects.raw_keypoints import UNMARKED, RawKeypoints
from sem3d.pipelines.aggregation.clustering import NOISE, clusters, scaled_plane
from sem3d.pipelines.aggregation.embedding import EmbeddingConfig, embed
from sem3d.pipelines.aggregation.fidelity import Distance, fidelity_errors, minima, smoothed


@dataclass(frozen=True, kw_only=True)
class AggregationConfig:
    """Settings of the aggregation; lengths are in diagonals of the box."""

    deviation: Positive = 0.03
    """Standard deviation of a mark (paper, 3.4.2)."""
    distance: Distance = "bounded"
    """Of embeddings in the fidelity error: squared (paper, Eq. 4), or bounded, which counts the people who have no mark there."""
    smoothing: Positive = 0.03
    """Standard deviation of the filter of fidelity errors; the paper gives none."""
    neighbourhood: AtLeastOne = 55
    """Points along the surface among which a candidate's error is least, of 2048 (paper, 3.4.4); of others in proportion."""
    reach: Positive = 0.1
    """Of DBSCAN, in t-SNE's plane scaled to a root mean square radius of 1."""
    core: Share = 0.25
    """Candidates within reach that make a cluster, as a share of the models."""
    iterations: Annotated[int, Bounds(1, 10)] = 1
    """Of the alternating minimisation."""
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    """The network g."""
    seed: Seed = 0
    """Of t-SNE."""


@dataclass(frozen=True)
class Aggregated:
    """Keypoints of each model, and what they were made of."""

    keypoints: Int[np.ndarray, "model meaning"]
    """Point of each cloud, -1 where a model lacks it; a meaning is a column."""
    errors: Float64[np.ndarray, "model point"]
    """Smoothed fidelity errors."""
    candidates: list[Int[np.ndarray, " candidate"]]
    """Of each model, before clustering."""
    plane: Float64[np.ndarray, "every_candidate 2"]
    """t-SNE's places of the candidates of all models in turn."""
    labels: Int[np.ndarray, " every_candidate"]
    """Their clusters, -1 for noise."""
    embeddings: Float[np.ndarray, "model point dim"]


def aggregate(
    raw: RawKeypoints, distances: list[Float[np.ndarray, "point point"]], config: AggregationConfig
) -> Aggregated:
    """Return the keypoints that people's marks agree on; ``distances`` are geodesic, of each model."""
    classes = list(raw.marks)
    for _ in range(config.iterations):
        found = once(raw, distances, classes, config)
        if not found.keypoints.shape[1]:
            break
        classes = [found.keypoints]
    return found


def once(
    raw: RawKeypoints,
    distances: list[Float[np.ndarray, "point point"]],
    classes: list[Int[np.ndarray, "model _class"]],
    config: AggregationConfig,
) -> Aggregated:
    """Take one iteration."""
    embeddings = embed(raw.clouds, classes, config.deviation, config.embedding)
    plain = fidelity_errors(embeddings, raw, config.deviation, config.distance)
    errors = np.stack([smoothed(*own, config.smoothing) for own in zip(plain, distances, strict=True)])
    around = max(2, round(config.neighbourhood * raw.clouds.shape[1] / POINTS))
    candidates = [np.flatnonzero(minima(own, apart, around)) for own, apart in zip(errors, distances, strict=True)]
    values = np.concatenate([own[rows] for own, rows in zip(embeddings, candidates, strict=True)])
    plane = scaled_plane(values, config.seed)
    labels = clusters(plane, config.reach, max(2, round(config.core * raw.models)))
    keypoints = best_of_clusters(candidates, labels, errors)
    return Aggregated(keypoints, errors, candidates, plane, labels, embeddings)


def best_of_clusters(
    candidates: list[Int[np.ndarray, " candidate"]],
    labels: Int[np.ndarray, " every_candidate"],
    errors: Float[np.ndarray, "model point"],
) -> Int[np.ndarray, "model meaning"]:
    """Return of each model and cluster the candidate of least error, -1 where it has none."""
    meanings = int(labels.max(initial=NOISE)) + 1
    found = np.full((len(candidates), meanings), UNMARKED, np.int64)
    place = 0
    for model, own in enumerate(candidates):
        of_own = labels[place : place + len(own)]
        place += len(own)
        for point, label in sorted(zip(own, of_own, strict=True), key=lambda pair: -errors[model, pair[0]]):
            if label != NOISE:
                found[model, label] = point
    return found
