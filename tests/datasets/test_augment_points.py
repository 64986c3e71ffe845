"""Augmentation of points."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sem3d.datasets.augment_points import PointAugmentation, augment_points, averaged, elastic_shift, rotation

OFF = {"scale": 0.0, "turn": 0.0, "tilt": 0.0, "elastic_probability": 0.0}


def cloud(count: int = 200, side: float = 3.0) -> np.ndarray:
    return np.random.default_rng(0).uniform(-side / 2, side / 2, (count, 3))


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_without_any_strength_the_points_are_unchanged():
    assert_allclose(augment_points(cloud(), PointAugmentation(**OFF), np.random.default_rng(1)), cloud())


def test_the_same_generator_gives_the_same_points_and_another_different_ones():
    one, again, other = (
        augment_points(cloud(), PointAugmentation(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_turns_keep_distances_and_a_turn_about_the_vertical_keeps_heights(seed):
    turned = augment_points(cloud(), PointAugmentation(**OFF | {"turn": 180.0}), np.random.default_rng(seed))
    assert_allclose(distances(turned), distances(cloud()))
    assert_allclose(turned[:, 2], cloud()[:, 2])
    tilted = augment_points(cloud(), PointAugmentation(**OFF | {"tilt": 5.0}), np.random.default_rng(seed))
    assert_allclose(distances(tilted), distances(cloud()))
    turned_by = np.linalg.lstsq(cloud(), tilted, rcond=None)[0].T
    assert 0 < np.degrees(np.arccos(turned_by[2, 2])) <= 5 * 2**0.5
    assert np.abs(tilted - cloud()).max() < 2 * np.radians(5) * np.linalg.norm(cloud(), axis=1).max()


def test_a_quarter_turn_about_each_axis_takes_the_next_axis_to_the_one_after():
    for axis in range(3):
        angles = np.zeros(3)
        angles[axis] = np.pi / 2
        after, last = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        assert_allclose(rotation(angles) @ after, last, atol=1e-12)
        assert np.linalg.det(rotation(angles)) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_scale_multiplies_all_distances_by_one_factor(seed):
    scaled = augment_points(cloud(), PointAugmentation(**OFF | {"scale": 0.1}), np.random.default_rng(seed))
    factor = np.linalg.norm(scaled[0]) / np.linalg.norm(cloud()[0])
    assert 0.9 <= factor <= 1.1
    assert_allclose(distances(scaled), factor * distances(cloud()))


def test_the_shift_lies_between_the_smooth_noise_of_the_nodes_around_a_point():
    points = cloud(20, 1.0)
    found = elastic_shift(points, 0.25, 0.5, np.random.default_rng(3))
    places = (points - points.min(0)) / 0.25 + 1
    noise = 0.5 * np.random.default_rng(3).standard_normal((*(places.max(0).astype(int) + 3), 3), dtype=np.float32)
    for axis in (0, 0, 1, 1, 2, 2):
        before = noise.copy()
        for node in range(noise.shape[axis]):
            near = [before.take(other, axis) for other in (node - 1, node, node + 1) if 0 <= other < noise.shape[axis]]
            np.moveaxis(noise, axis, 0)[node] = sum(near) / 3
    for row, place in enumerate(places):
        expected = np.zeros(3)
        for node in np.ndindex(*noise.shape[:3]):
            weight = np.prod(np.maximum(0, 1 - np.abs(place - node)))
            expected += weight * noise[node]
        assert_allclose(found[row], expected, atol=1e-6)


def test_neighbours_move_alike_and_a_huge_cloud_needs_no_huge_grid():
    points = cloud()
    twins = np.concatenate([points, points + 1e-4])
    shift = elastic_shift(twins, 0.2, 0.4, np.random.default_rng(0))
    assert_allclose(shift[: len(points)], shift[len(points) :], atol=1e-3)
    assert 0.01 < np.abs(shift).max() < 0.4
    assert np.isfinite(elastic_shift(cloud(side=500.0), 0.2, 0.4, np.random.default_rng(0))).all()


def test_averaging_divides_by_three_also_at_the_ends():
    noise = np.zeros((3, 1, 1, 3), np.float32)
    noise[0] = 3
    assert_array_equal(averaged(noise, 0)[:, 0, 0, 0], [1, 1, 0])
