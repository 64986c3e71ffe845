"""Simpler ways to make one set of keypoints of many people's marks: geodesic means by index, and DBSCAN in space."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from sem3d.datasets.objects.raw_keypoints import UNMARKED, RawKeypoints
from sem3d.pipelines.aggregation.clustering import NOISE, clusters


def geodesic_medoid(points: Int[np.ndarray, " mark"], distances: Float[np.ndarray, "point point"]) -> int:
    """Return the point of the surface whose summed squared geodesic distance from some points is least: their mean on it."""
    apart = np.square(distances[points])
    apart[~np.isfinite(apart)] = 1e6
    return int(apart.sum(axis=0).argmin())


def aligned_marks(raw: RawKeypoints) -> list[Int[np.ndarray, "model index"]]:
    """Return everybody's marks with the indices of the person who uses most of them.

    Another person's index becomes the one whose marks lie nearest to its own on the models that both marked, each used once;
    without this step, indices of different people would mean nothing to each other.
    """
    leader = max(raw.marks, key=lambda own: own.shape[1])
    aligned = []
    for own in raw.marks:
        cost = np.array(
            [
                [apart(raw, own[:, one], leader[:, other]) for other in range(leader.shape[1])]
                for one in range(own.shape[1])
            ]
        )
        renamed = np.full(leader.shape, UNMARKED, np.int64)
        for one, other in zip(*linear_sum_assignment(cost), strict=True):
            renamed[:, other] = own[:, one]
        aligned.append(renamed)
    return aligned


def apart(raw: RawKeypoints, one: Int[np.ndarray, " model"], other: Int[np.ndarray, " model"]) -> float:
    """Return the mean distance of two indices' marks over models that have both; the box's diagonal where none has."""
    both = np.flatnonzero((one != UNMARKED) & (other != UNMARKED))
    if not len(both):
        return 1.0
    places = [raw.clouds[both, own[both]] for own in (one, other)]
    return float(np.linalg.norm(places[0] - places[1], axis=1).mean())


def means_by_index(
    raw: RawKeypoints, distances: list[Float[np.ndarray, "point point"]]
) -> list[Int[np.ndarray, " keypoint"]]:
    """Return for each model the geodesic mean of everybody's marks of each index."""
    marks = np.stack(aligned_marks(raw))
    found = []
    for model, own in enumerate(distances):
        columns = [column[column != UNMARKED] for column in marks[:, model].T]
        found.append(np.array([geodesic_medoid(column, own) for column in columns if len(column)], np.int64))
    return found


def clusters_in_space(
    raw: RawKeypoints, distances: list[Float[np.ndarray, "point point"]], reach: float, fewest: int
) -> list[Int[np.ndarray, " keypoint"]]:
    """Return for each model the geodesic means of DBSCAN's clusters of all marks, by where they lie."""
    found = []
    for model, own in enumerate(distances):
        marks = np.concatenate(raw.marks_of(model))
        labels = clusters(raw.clouds[model][marks], reach, fewest) if len(marks) else np.zeros(0, np.int64)
        names = [label for label in np.unique(labels) if label != NOISE]
        found.append(np.array([geodesic_medoid(marks[labels == name], own) for name in names], np.int64))
    return found
