"""Fidelity errors, their filter and their minima against loops."""

import numpy as np
import pytest

from sem3d.datasets.objects.raw_keypoints import RawKeypoints
from sem3d.geometry.geodesics import geodesic_distances
from sem3d.pipelines.aggregation.fidelity import (
    Distance,
    fidelity_errors,
    minima,
    saliency,
    smoothed,
    surface_distances,
)
from tests.reference import aggregation as reference

DEVIATION = 0.1


def drawn(models: int = 3, points: int = 14) -> tuple[RawKeypoints, np.ndarray]:
    rng = np.random.default_rng(0)
    marks = [rng.integers(-1, points, (models, indices)) for indices in (4, 3, 5)]
    marks[1][1] = -1
    return RawKeypoints(rng.random((models, points, 3)), marks), rng.normal(size=(models, points, 6))


@pytest.mark.parametrize("distance", ["squared", "bounded"])
def test_errors_are_those_of_loops(distance: Distance):
    raw, embeddings = drawn()
    found = fidelity_errors(embeddings, raw, DEVIATION, distance)
    people = [[own.tolist() for own in raw.marks_of(model)] for model in range(3)]
    plain = embeddings.tolist(), raw.clouds.tolist(), people, DEVIATION, distance == "bounded"
    wanted = [[reference.fidelity(*plain, model, point) for point in range(14)] for model in range(3)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_saliency_of_a_mark_is_a_distribution_about_it():
    raw, _ = drawn()
    found = saliency(raw.clouds[0], np.array([2, 5]), DEVIATION)
    np.testing.assert_allclose(found, [reference.saliency(raw.clouds[0].tolist(), mark, DEVIATION) for mark in (2, 5)])
    assert found.argmax(axis=1).tolist() == [2, 5]


@pytest.mark.parametrize("distance", ["squared", "bounded"])
def test_the_saliency_of_marks_is_computed_once(distance: Distance, monkeypatch):
    raw, embeddings = drawn()
    asked = []

    def counted(cloud, marks, deviation):
        asked.append((cloud.tobytes(), marks.tobytes()))
        return saliency(cloud, marks, deviation)

    monkeypatch.setattr("sem3d.pipelines.aggregation.fidelity.saliency", counted)
    fidelity_errors(embeddings, raw, DEVIATION, distance)
    assert len(asked) == len(set(asked)) == 3 * 3


def test_filter_and_minima_are_those_of_loops():
    rng = np.random.default_rng(1)
    cloud = rng.random((40, 3))
    distances = geodesic_distances(cloud, np.arange(40), 6)
    values = np.round(rng.random(40), 1)
    plain = values.tolist(), distances.tolist()
    found = smoothed(values, distances, DEVIATION)
    np.testing.assert_allclose(found, [reference.smooth(*plain, DEVIATION, point) for point in range(40)])
    for neighbourhood in (1, 5, 12, 40):
        wanted = [reference.is_minimum(*plain, neighbourhood, point) for point in range(40)]
        assert minima(values, distances, neighbourhood).tolist() == wanted
    assert minima(values, distances, 40).sum() == 1


def test_parts_that_no_path_joins_have_minima_of_their_own():
    cloud = np.concatenate([np.random.default_rng(2).random((9, 3)), np.random.default_rng(3).random((9, 3)) + 9])
    (distances,) = surface_distances(cloud[None][:, :, :])
    distances = np.where(np.linalg.norm(cloud[:, None] - cloud[None], axis=2) > 5, np.inf, distances)
    assert minima(np.arange(18.0), distances, 18).nonzero()[0].tolist() == [0, 9]


def test_bounded_errors_are_least_where_most_people_have_a_mark_and_squared_ones_between_the_marks():
    line = np.linspace(-1, 1, 21)
    cloud = np.stack([line, np.zeros(21), np.zeros(21)], axis=1)
    marks = [np.array([[own]] * 2) for own in (0, 0, 0, 20, 20)]
    raw = RawKeypoints(np.stack([cloud, cloud]), marks)
    embeddings = np.stack([cloud, cloud])
    bounded = fidelity_errors(embeddings, raw, 0.05, "bounded")[0]
    squared = fidelity_errors(embeddings, raw, 0.05, "squared")[0]
    assert bounded.argmin() <= 1
    assert squared.argmin() == 8
