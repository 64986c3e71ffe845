"""Shortest paths over points against Floyd and Warshall, and on shapes whose distances are known."""

import numpy as np
import pytest

from sem3d.geometry.geodesics import geodesic_distances, neighbour_graph
from tests.reference.keypoint_scores import shortest_paths


@pytest.mark.parametrize("neighbours", [2, 5, 60])
def test_distances_are_those_of_the_shortest_paths(neighbours):
    points = np.random.default_rng(neighbours).random((40, 3))
    found = geodesic_distances(points, np.arange(40), neighbours)
    np.testing.assert_allclose(found, shortest_paths(points.tolist(), neighbours), rtol=1e-12)


def test_copies_of_a_point_are_no_distance_apart_and_each_has_its_neighbours():
    points = np.repeat(np.random.default_rng(0).random((12, 3)), 4, axis=0)
    found = geodesic_distances(points, np.arange(48), 6)
    assert (np.diff(neighbour_graph(points, 6).indptr) == 6).all()
    copies = found.reshape(12, 4, 12, 4)
    assert all((copies[one, :, one] == 0).all() for one in range(12))
    np.testing.assert_allclose(found, found.T)


def half_circle(points: int = 101, height: float = 0.0) -> np.ndarray:
    angle = np.linspace(0, np.pi, points)
    return np.stack([np.cos(angle), np.sin(angle), 0 * angle + height], axis=1)


def test_the_way_round_an_arc_is_its_length():
    distances = geodesic_distances(half_circle(), np.array([0]), 2)
    assert distances[0, -1] == pytest.approx(np.pi, rel=1e-3)


def test_parts_that_no_path_joins_are_infinitely_far_apart():
    points = np.concatenate([half_circle(), half_circle(height=9)])
    distances = geodesic_distances(points, np.array([0]), 3)
    assert np.isfinite(distances[0, :101]).all()
    assert np.isinf(distances[0, 101:]).all()
