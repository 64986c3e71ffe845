import tracemalloc

import numpy as np
import pytest

from sem3d.geometry import cells
from sem3d.geometry.cells import cell_keys, expand_runs, ranker
from sem3d.geometry.proximity import frames_within


def neighbours_by_distance(points: np.ndarray, frame: np.ndarray, radius: float) -> np.ndarray:
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    close = squared <= radius * radius
    return np.stack([close[:, frame == f].any(axis=1) for f in range(int(frame.max()) + 1)], axis=1)


def as_flags(bits: np.ndarray, frames: int) -> np.ndarray:
    return np.unpackbits(bits.astype("<u8").view(np.uint8), axis=1, bitorder="little", count=frames).astype(bool)


@pytest.mark.parametrize("frames", [1, 5, 64, 65, 150])
@pytest.mark.parametrize("radius", [0.02, 0.1, 0.7, 4.0])
def test_near_frames_are_exact_in_a_random_cloud(frames, radius):
    rng = np.random.default_rng(frames)
    points = rng.uniform(-1, 1, size=(600, 3)) * [1.0, 1.0, 0.05] + 100.0
    frame = rng.integers(0, frames, size=600)
    frame[0] = frames - 1
    np.testing.assert_array_equal(
        as_flags(frames_within(points, frame, radius), frames), neighbours_by_distance(points, frame, radius)
    )


def test_points_exactly_one_radius_apart_are_near():
    points = np.stack([np.arange(8) * 0.25, np.zeros(8), np.zeros(8)], axis=1)
    near = as_flags(frames_within(points, np.arange(8), 0.25), 8)
    np.testing.assert_array_equal(near, np.abs(np.subtract.outer(np.arange(8), np.arange(8))) <= 1)


@pytest.mark.parametrize("spacing", [0.075, 0.0375, 0.025, 0.01875, 0.015])
def test_near_frames_are_exact_where_points_lie_on_the_borders_of_cells(spacing):
    axis = np.arange(7) * spacing + 1.3
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    frame = np.random.default_rng(0).integers(0, 80, size=len(points))
    frame[0] = 79
    np.testing.assert_array_equal(
        as_flags(frames_within(points, frame, 0.075), 80), neighbours_by_distance(points, frame, 0.075)
    )


def test_a_grid_too_large_for_a_bitmap_is_searched_with_the_same_result(monkeypatch):
    rng = np.random.default_rng(0)
    points, frame = rng.uniform(0, 1, size=(500, 3)), rng.integers(0, 9, size=500)
    expected = frames_within(points, frame, 0.1)
    monkeypatch.setattr(cells, "_BITMAP_CELLS", 0)
    np.testing.assert_array_equal(frames_within(points, frame, 0.1), expected)


def test_a_few_points_far_apart_take_no_memory_for_what_lies_between_them():
    points = np.random.default_rng(0).uniform(0, 25, size=(400, 3))
    tracemalloc.start()
    near = frames_within(points, np.arange(400) % 9, 0.075)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(near) == 400
    assert peak < 256 << 20


def test_the_rank_of_a_key_counts_the_cells_before_it():
    keys, strides = cell_keys(np.random.default_rng(0).uniform(size=(300, 3)), 0.1)
    occupied = np.unique(keys)
    asked = np.arange(occupied[0] - 5, occupied[-1] + 5)
    np.testing.assert_array_equal(ranker(occupied, strides)(asked), np.searchsorted(occupied, asked))


def test_runs_are_written_out_in_order():
    numbers, run = expand_runs(np.array([5, 0, 9]), np.array([2, 0, 3]))
    np.testing.assert_array_equal(numbers, [5, 6, 9, 10, 11])
    np.testing.assert_array_equal(run, [0, 0, 2, 2, 2])


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        frames_within(np.array([[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]]), np.array([0, 0]), 0.1)
    with pytest.raises(ValueError, match="too far"):
        frames_within(np.array([[0.0, 0.0, 0.0], [1e9, 1e9, 1e9]]), np.array([0, 0]), 0.01)
