import numpy as np
import pytest

from sem3d.geometry.polygons import MOST_EFFORT, fan_of, triangulate

L = np.array([(0, 0), (1, 0), (1, 0.25), (0.25, 0.25), (0.25, 1), (0, 1)])
COMB = np.array([(0, 0), (7, 0), *((x, 3 if x % 2 else 0.5) for x in range(7, 0, -1)), (0, 3)])


def in_space(flat: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return flat @ axes[:2] * 3.0 + rng.normal(size=3)


def areas_of(points: np.ndarray) -> np.ndarray:
    return np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]) / 2.0


def area_of(polygon: np.ndarray) -> np.ndarray:
    """Area of a polygon along its normal, by the formula of its outline."""
    return sum(np.cross(a, b) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)) / 2.0


def cut(polygon: np.ndarray) -> tuple[np.ndarray, bool]:
    found = triangulate(polygon, np.arange(len(polygon))[None])
    assert (found.owner == 0).all()
    return areas_of(polygon[found.places]), bool(found.crossing[0])


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("flat", [L, COMB, L[[0, 1, 2, 3]], np.array([(0, 0), (2, 0), (0.5, 0.5), (0, 2)])])
def test_triangles_cover_a_concave_polygon_once_wherever_it_begins(flat: np.ndarray, sense: int, first: int):
    polygon = in_space(np.roll(flat, first, axis=0)[::sense])
    areas, crossing = cut(polygon)
    np.testing.assert_allclose(areas.sum(axis=0), area_of(polygon), atol=1e-12)
    assert np.linalg.norm(areas, axis=1).sum() == pytest.approx(np.linalg.norm(area_of(polygon)))
    assert not crossing


def test_corners_on_straight_edges_stay_for_the_neighbours_to_meet():
    halves = np.stack([L, (L + np.roll(L, -1, axis=0)) / 2.0], axis=1).reshape(-1, 2)
    for first in range(12):
        polygon = in_space(np.roll(halves, first, axis=0))
        places = triangulate(polygon, np.arange(12)[None]).places
        assert len(places) == 10
        edges = {(int(a), int(b)) for triangle in places for a, b in zip(triangle, np.roll(triangle, -1), strict=True)}
        assert {(corner, (corner + 1) % 12) for corner in range(12)} <= edges
        areas, crossing = cut(polygon)
        np.testing.assert_allclose(areas.sum(axis=0), area_of(polygon), atol=1e-12)
        assert np.linalg.norm(areas, axis=1).sum() == pytest.approx(np.linalg.norm(area_of(polygon)))
        assert not crossing


def test_random_outlines_are_covered_once():
    rng = np.random.default_rng(1)
    for count in (5, 8, 30, 200):
        angles = np.sort(rng.random(count)) * 2 * np.pi
        radii = rng.uniform(0.2, 1.0, count)
        polygon = in_space(np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1), count)
        areas, crossing = cut(polygon)
        np.testing.assert_allclose(areas.sum(axis=0), area_of(polygon), atol=1e-9)
        assert np.linalg.norm(areas, axis=1).sum() == pytest.approx(np.linalg.norm(area_of(polygon)))
        assert not crossing


def test_convex_and_warped_polygons_are_fans():
    angles = np.arange(7) / 7 * 2 * np.pi
    ring = np.stack([np.cos(angles), np.sin(angles), 0.1 * np.sin(3 * angles)], axis=1)
    points = np.concatenate([ring, ring + 5.0])
    found = triangulate(points, np.arange(14).reshape(2, 7))
    np.testing.assert_array_equal(found.owner, np.repeat([0, 1], 5))
    np.testing.assert_array_equal(found.places, np.tile(fan_of(7), (2, 1)))
    assert not found.crossing.any()
    square = np.array([[0, 0, 0], [1, 0, 0.2], [1, 1, 0], [0, 1, 0.2]])
    np.testing.assert_array_equal(triangulate(square, np.arange(4)[None]).places, [[0, 1, 2], [2, 3, 0]])


@pytest.mark.parametrize("flat", [[(0, 0), (1, 1), (1, 0), (0, 1)], [(0, 0), (2, 2), (2, 0), (0, 3)]])
def test_a_polygon_that_crosses_itself_is_told(flat: list):
    assert cut(in_space(np.array(flat, float)))[1]
    star = [(np.sin(turn), np.cos(turn)) for turn in 4 * np.pi / 5 * np.arange(5)]
    assert cut(in_space(np.array(star)))[1]


def test_polygons_without_area_are_fans_and_no_fault():
    line = in_space(np.array([(0.0, 0), (1, 0), (3, 0), (2, 0), (0.5, 0)]))
    assert not cut(line)[1]
    assert not cut(np.zeros((4, 3)))[1]


def test_outlines_that_would_take_minutes_are_refused_one_by_one_or_together():
    turn = np.linspace(0, 200 * np.pi, 5000)
    arms = [np.stack([r * np.cos(turn), r * np.sin(turn)], axis=1) for r in (turn, turn + 1.5)]
    spiral = in_space(np.concatenate([arms[0], arms[1][::-1]]))
    with pytest.raises(ValueError, match="1 concave polygons of 10000 corners"):
        triangulate(spiral, np.arange(10_000)[None])
    outline = in_space(np.roll(L, 2, axis=0))
    assert triangulate(outline, np.arange(6)[None]).effort == 36
    with pytest.raises(ValueError, match="1 concave polygons of 6 corners"):
        triangulate(outline, np.arange(6)[None], MOST_EFFORT)
