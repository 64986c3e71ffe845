"""Aggregation of simulated marks, and the simpler ways beside it."""

from typing import Any

import numpy as np
import pytest

from sem3d.datasets.objects.raw_keypoints import RawKeypoints
from sem3d.pipelines.aggregation.aggregate import AggregationConfig, aggregate, best_of_clusters
from sem3d.pipelines.aggregation.baselines import aligned_marks, clusters_in_space, geodesic_medoid, means_by_index
from sem3d.pipelines.aggregation.clustering import clusters, scaled_plane
from sem3d.pipelines.aggregation.embedding import EmbeddingConfig, embed
from sem3d.pipelines.aggregation.fidelity import surface_distances
from sem3d.pipelines.aggregation.program import recovered
from sem3d.pipelines.aggregation.symmetry import symmetry_groups
from sem3d.worlds.annotators import AnnotatorsConfig, flatness, marked_shapes

SURE: dict[str, Any] = {"noise": 0.0, "opinion": 1.0, "discord": 0.0, "own": 0, "missed": 0.0}
"""People who agree."""
SMALL = EmbeddingConfig(dim=16, widths=(8, 12), group=8, steps=40, lr=5e-3)


def test_a_cluster_takes_the_best_candidate_of_each_model():
    candidates = [np.array([4, 7, 9]), np.array([2, 3])]
    errors = np.zeros((2, 10))
    errors[0, [4, 7]] = 2.0, 1.0
    found = best_of_clusters(candidates, np.array([0, 0, 1, -1, 0]), errors)
    assert found.tolist() == [[7, 9], [3, -1]]
    assert best_of_clusters(candidates, np.full(5, -1), errors).shape == (2, 0)


def test_clusters_scaled_plane_are_those_of_the_embedding():
    rng = np.random.default_rng(0)
    centres = np.eye(4, 16) * 20
    embeddings = np.concatenate([centre + rng.normal(0, 0.1, (12, 16)) for centre in centres])
    plane = scaled_plane(embeddings, 0)
    assert np.sqrt(np.square(plane).sum(axis=1).mean()) == pytest.approx(1)
    labels = clusters(plane, 0.3, 4)
    assert sorted(np.bincount(labels)) == [12, 12, 12, 12]
    assert all(len(set(labels[12 * group : 12 * group + 12])) == 1 for group in range(4))


def test_indices_of_other_people_are_aligned_with_those_of_one():
    clouds = np.random.default_rng(0).random((3, 20, 3))
    leader = np.array([[1, 2, 3], [4, 5, 6], [7, 8, -1]])
    other = leader[:, [2, 0]]
    own, renamed = aligned_marks(RawKeypoints(clouds, [leader, other]), reach=0.1)
    assert own.tolist() == leader.tolist()
    assert renamed.tolist() == [[1, -1, 3], [4, -1, 6], [7, -1, -1]]


def test_an_index_that_nobody_else_has_is_forced_on_none_and_counts_only_where_enough_have_it():
    line = np.stack([np.arange(12.0), np.zeros(12), np.zeros(12)], axis=1) / 12
    clouds = np.stack([line, line])
    one, other = np.array([[1, 9], [1, 9]]), np.array([[1, 5], [2, 5]])
    raw = RawKeypoints(clouds, [one, other])
    first, second = aligned_marks(raw, reach=0.1)
    assert first.tolist() == [[1, 9, -1], [1, 9, -1]]
    assert second.tolist() == [[1, -1, 5], [2, -1, 5]]
    distances = surface_distances(clouds)
    assert [own.tolist() for own in means_by_index(raw, distances, 0.1, 2)] == [[1], [1]]
    assert [own.tolist() for own in means_by_index(raw, distances, 0.1, 1)] == [[1, 9, 5], [1, 9, 5]]


def test_a_geodesic_mean_lies_between_the_marks():
    line = np.stack([np.arange(9.0), np.zeros(9), np.zeros(9)], axis=1)
    distances = surface_distances(line[None])[0]
    assert geodesic_medoid(np.array([2, 6]), distances) == 4
    assert geodesic_medoid(np.array([0, 1, 8]), distances) == 3


def test_marks_without_noise_are_found_again_by_the_simpler_ways():
    marked = marked_shapes(AnnotatorsConfig(models=3, people=4, points=256, **SURE))
    distances = surface_distances(marked.raw.clouds)
    by_index = recovered(means_by_index(marked.raw, distances, 0.1, 3), marked, distances, 1e-9)
    in_space = recovered(clusters_in_space(marked.raw, distances, 1e-6, 3), marked, distances, 1e-9)
    assert by_index == in_space == (1.0, 1.0)


def test_people_miss_swap_and_stray_as_they_are_told():
    few: dict[str, Any] = {"models": 6, "people": 3, "points": 200} | SURE | {"opinion": 0.8}
    plain = marked_shapes(AnnotatorsConfig(**few))
    wrong = marked_shapes(AnnotatorsConfig(**few, corrupted=0.3))
    same = np.concatenate(
        [(one == other)[one >= 0] for one, other in zip(plain.raw.marks, wrong.raw.marks, strict=True)]
    )
    missed = np.concatenate(
        [(other == -1)[one >= 0] for one, other in zip(plain.raw.marks, wrong.raw.marks, strict=True)]
    )
    assert 0.15 < 1 - same.mean() < 0.5
    assert 0.03 < missed.mean() < 0.2
    assert any(own.shape[1] < len(np.unique(np.concatenate(plain.meanings))) for own in plain.raw.marks)
    assert not np.array_equal(plain.raw.marks[0], plain.raw.marks[1])
    again = marked_shapes(AnnotatorsConfig(**few, corrupted=0.3))
    assert all((one == other).all() for one, other in zip(wrong.raw.marks, again.raw.marks, strict=True))


def test_hands_slide_along_flat_faces_and_hold_at_corners():
    side = np.linspace(-0.5, 0.5, 41)
    plate = np.stack(np.meshgrid(side, side, [0.0], indexing="ij"), -1).reshape(-1, 3)
    middle, edge, corner = (
        int(np.square(plate - at).sum(1).argmin()) for at in ([0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0])
    )
    assert flatness(plate, middle) > 0.9
    assert flatness(plate, edge) < 0.2
    assert flatness(plate, corner) == 0


def test_people_disagree_about_what_matters_and_have_places_of_their_own():
    config = AnnotatorsConfig(models=2, people=40, points=200, **SURE | {"opinion": 0.6, "discord": 0.3, "own": 2})
    marked = marked_shapes(config)
    counts = {meaning: 0 for meaning in np.unique(np.concatenate(marked.meanings)).tolist()}
    for own in marked.raw.marks:
        points = own[0][:-2].tolist()
        for point, meaning in zip(marked.true[0].tolist(), marked.meanings[0].tolist(), strict=True):
            counts[meaning] += point in points
    shares = np.array([counts[meaning] / 40 for meaning in marked.meanings[0].tolist()])
    assert shares.min() < 0.45
    assert shares.max() > 0.75
    strange = [tuple(own[0][-2:].tolist()) for own in marked.raw.marks]
    assert len(set(strange)) > 30


def test_mirrored_and_turned_meanings_are_grouped():
    square = np.array([[1, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1], [0, 1, 0]], np.float64) / 3
    groups = symmetry_groups(np.stack([square] * 3), np.tile(np.arange(5), (3, 1)))
    assert set(groups.reflections) == {(0, 3), (1, 2)}
    assert groups.rotations == [(0, 1, 2, 3)]
    moved = square + np.array([0.4, 0, 0]) * (np.arange(5) == 0)[:, None]
    groups = symmetry_groups(np.stack([square, moved, moved]), np.tile(np.arange(5), (3, 1)))
    assert groups.reflections == [(1, 2)]
    assert groups.rotations == []


@pytest.mark.slow
def test_marks_of_people_become_keypoints_that_are_near_the_truth():
    marked = marked_shapes(AnnotatorsConfig(models=6, people=4, points=192, **SURE | {"noise": 0.01}))
    distances = surface_distances(marked.raw.clouds)
    config = AggregationConfig(neighbourhood=85, embedding=SMALL)
    embeddings = embed(marked.raw.clouds, list(marked.raw.marks), 0.03, SMALL)
    assert embeddings.shape == (6, 192, 16)
    found = aggregate(marked.raw, distances, config)
    assert found.keypoints.shape[1] >= 3
    random = [np.random.default_rng(model).integers(0, 192, 10) for model in range(6)]
    by_chance, _ = recovered(random, marked, distances, 0.08)
    precision, recall = recovered([own[own >= 0] for own in found.keypoints], marked, distances, 0.08)
    assert precision > by_chance + 0.15
    assert recall > 0.2
