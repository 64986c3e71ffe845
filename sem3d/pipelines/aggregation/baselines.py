"""Simpler ways to make one set of keypoints of many people's marks: geodesic means by index, and DBSCAN in space."""

from collections.abc import Collection

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


def aligned_marks(raw: RawKeypoints, reach: float) -> list[Int[np.ndarray, "model index"]]:
    """Return everybody's marks with the same index for what lies together: without this step, indices of different people would
    mean nothing to each other.

    Indices grow from person to person, those with most marks first. A person's index becomes the one whose marks so far lie
    nearest to its own on the models that both have, each used once; one that is farther than ``reach`` from all is a new one.
    """
    people = sorted(range(len(raw.marks)), key=lambda number: -int((raw.marks[number] != UNMARKED).sum()))
    columns: list[dict[int, Int[np.ndarray, " model"]]] = []
    for number in people:
        own = raw.marks[number].T
        cost = np.array([[apart(raw, one, column.values()) for column in columns] for one in own])
        cost = cost.reshape(len(own), len(columns))
        matched = {
            int(one): int(other)
            for one, other in zip(*linear_sum_assignment(cost), strict=True)
            if cost[one, other] <= reach
        }
        for index, marks in enumerate(own):
            if index in matched:
                columns[matched[index]][number] = marks
            else:
                columns.append({number: marks})
    none = np.full(raw.models, UNMARKED, np.int64)
    return [np.stack([column.get(number, none) for column in columns], axis=1) for number in range(len(raw.marks))]


def apart(raw: RawKeypoints, one: Int[np.ndarray, " model"], others: Collection[Int[np.ndarray, " model"]]) -> float:
    """Return the mean distance of an index's marks from those of others over models that have both; the box's diagonal where none
    has.
    """
    found = []
    for other in others:
        both = np.flatnonzero((one != UNMARKED) & (other != UNMARKED))
        found.append(np.linalg.norm(raw.clouds[both, one[both]] - raw.clouds[both, other[both]], axis=1))
    distances = np.concatenate(found)
    return float(distances.mean()) if len(distances) else 1.0


def means_by_index(
    raw: RawKeypoints, distances: list[Float[np.ndarray, "point point"]], reach: float, fewest: int
) -> list[Int[np.ndarray, " keypoint"]]:
    """Return for each model the geodesic mean of everybody's marks of each index that so many people have."""
    marks = np.stack(aligned_marks(raw, reach))
    used = (marks != UNMARKED).any(axis=1).sum(axis=0) >= fewest
    found = []
    for model, own in enumerate(distances):
        columns = [column[column != UNMARKED] for column in marks[:, model, used].T]
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
