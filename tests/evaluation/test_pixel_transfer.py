"""Transfer of keypoints between images against loops, and where the answer is known."""

import numpy as np

from sem3d.evaluation.pixel_transfer import TRUSTED, SearchedImage, map_between, mutual_matches, transferred
from tests.reference import pixel_transfer as reference


def units(rng: np.random.Generator, *shape: int) -> np.ndarray:
    values = rng.normal(size=shape)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def grid(side: int, step: int) -> np.ndarray:
    line = np.arange(step / 2, side, step)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def test_matches_and_places_are_those_of_loops():
    rng = np.random.default_rng(0)
    source, target, keypoints = units(rng, 30, 6), units(rng, 25, 6), units(rng, 9, 6)
    own, other = mutual_matches(source, target)
    assert list(zip(own.tolist(), other.tolist(), strict=True)) == reference.mutual(source, target)
    image = SearchedImage(grid(50, 10), target, 50.0)
    wanted = [reference.nearest(feature, target) for feature in keypoints]
    np.testing.assert_array_equal(transferred(keypoints, image), image.places[wanted])
    expected = rng.random((9, 2)) * 50
    wanted = [
        reference.nearest(feature, target, reference.weights_about(place, image.places, TRUSTED * 50))
        for feature, place in zip(keypoints, expected, strict=True)
    ]
    np.testing.assert_array_equal(transferred(keypoints, image, expected), image.places[wanted])
    assert wanted != [reference.nearest(feature, target) for feature in keypoints]


def test_a_keypoint_with_a_twin_goes_to_the_one_where_the_map_takes_it():
    """Two wheels of a car look alike; the rest of the car says which is which."""
    rng = np.random.default_rng(1)
    places = grid(100, 10)
    features = units(rng, 100, 8)
    features[77] = features[22]
    source = SearchedImage(places, features, 100.0)
    moved = SearchedImage(places + 3.0, features, 100.0)
    found = map_between(source, moved, rng)
    assert found is not None
    np.testing.assert_allclose(found(places), places + 3, atol=1e-9)
    for wheel in (22, 77):
        where = transferred(features[[wheel]], moved, found(places[[wheel]]))
        np.testing.assert_allclose(where, places[[wheel]] + 3)
    assert (transferred(features[[77]], moved) == places[22] + 3).all()
