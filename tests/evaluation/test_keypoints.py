"""PCK and visibility against loops, and closed forms."""

import math

import numpy as np
import pytest

from sem3d.evaluation.keypoints import LocatedKeypoints, correct_share, relative_errors, visibility_scores
from tests.reference import keypoint_scores as reference


def drawn_images(seed: int, images: int = 7) -> list[LocatedKeypoints]:
    """Keypoints of images of several sizes and groups, some not found, one image without any."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(images):
        height, width = (int(side) for side in rng.integers(40, 400, 2))
        count = 0 if number == 3 else int(rng.integers(1, 9))
        true = rng.random((count, 2)) * (width, height)
        found = true + rng.normal(0, 20, true.shape)
        found[rng.random(count) < 0.2] = np.nan
        left, top = rng.random(2) * 10
        box = (left, top, left + 5 + width * rng.random() / 2, top + 5 + height * rng.random() / 2)
        made.append(LocatedKeypoints(found, true, (height, width), tuple(map(float, box)), "abc"[number % 3]))
    return made


@pytest.mark.parametrize("aspect", ["native", "warped"])
@pytest.mark.parametrize("extent", ["image", "box"])
def test_pck_equals_loops_for_every_protocol_and_mean(extent, aspect):
    for seed in range(5):
        images = drawn_images(seed)
        plain = [(one.found.tolist(), one.true.tolist(), one.size, one.box, one.group) for one in images]
        for alpha in (0.05, 0.1, 0.2):
            ours = correct_share(images, alpha=alpha, extent=extent, aspect=aspect)
            wanted = reference.pck(plain, alpha, extent, aspect)
            assert (ours.by_keypoint, ours.by_pair, ours.by_group) == pytest.approx(wanted)
    assert 0 < ours.by_keypoint < 1


def one_image(found: tuple[float, float]) -> LocatedKeypoints:
    """A keypoint at (10, 10) of an image of 100 x 50 pixels, whose object is 40 x 20."""
    return LocatedKeypoints(np.array([found]), np.array([[10.0, 10.0]]), (50, 100), (0.0, 0.0, 40.0, 20.0))


def test_a_distance_of_exactly_the_threshold_is_correct():
    image = one_image((14.0, 10.0))
    assert correct_share([image], alpha=0.1, extent="box").by_keypoint == 1
    assert correct_share([image], alpha=0.0999, extent="box").by_keypoint == 0


def test_warping_makes_errors_across_a_wide_image_smaller():
    across, along = one_image((14.0, 10.0)), one_image((10.0, 14.0))
    assert relative_errors(across, "image", "warped") == pytest.approx(0.04)
    assert relative_errors(along, "image", "warped") == pytest.approx(0.08)
    # a box as wide in the square as it is high: 0.4 of either side
    assert relative_errors(along, "box", "warped") == pytest.approx(0.2)
    assert relative_errors(along, "box", "native") == pytest.approx(0.1)


def test_what_was_not_found_is_wrong_at_any_alpha():
    assert correct_share([one_image((math.nan, math.nan))], alpha=1e9, extent="image").by_keypoint == 0


def test_means_differ_where_images_and_groups_have_unequal_numbers():
    def image(right: int, wrong: int, group: str) -> LocatedKeypoints:
        true = np.zeros((right + wrong, 2))
        found = true + np.repeat([0, 500], [right, wrong])[:, None]
        return LocatedKeypoints(found, true, (100, 100), (0.0, 0.0, 100.0, 100.0), group)

    found = correct_share([image(3, 1, "a"), image(0, 1, "a"), image(1, 0, "b")], alpha=0.1, extent="box")
    assert found.by_keypoint == pytest.approx(4 / 6)
    assert found.by_pair == pytest.approx((0.75 + 0 + 1) / 3)
    assert found.by_group == pytest.approx((0.375 + 1) / 2)


def test_nothing_to_score_is_nan_and_what_cannot_be_scored_is_refused():
    assert math.isnan(correct_share([], alpha=0.1, extent="box").by_pair)
    unknown = LocatedKeypoints(np.zeros((1, 2)), np.full((1, 2), np.nan), (10, 10), (0.0, 0.0, 5.0, 5.0))
    with pytest.raises(ValueError, match="true keypoints"):
        relative_errors(unknown, "image", "native")
    with pytest.raises(ValueError, match="no extent"):
        relative_errors(LocatedKeypoints(np.zeros((1, 2)), np.zeros((1, 2)), (9, 9), (5.0,) * 4), "box", "native")


def test_visibility_equals_loops_and_is_shown_beside_a_constant_answer():
    rng = np.random.default_rng(0)
    predicted, visible = rng.random(50) < 0.5, rng.random(50) < 0.8
    found = visibility_scores(predicted, visible)
    right = [bool(one) == bool(other) for one, other in zip(predicted, visible, strict=True)]
    assert found.accuracy == pytest.approx(sum(right) / 50)
    of_visible = [hit for hit, seen in zip(right, visible, strict=True) if seen]
    of_hidden = [hit for hit, seen in zip(right, visible, strict=True) if not seen]
    halves = sum(of_visible) / len(of_visible), sum(of_hidden) / len(of_hidden)
    assert found.balanced_accuracy == pytest.approx(sum(halves) / 2)
    assert found.constant == pytest.approx(len(of_visible) / 50)
    everywhere = visibility_scores(np.ones(4, bool), np.array([True, True, True, False]))
    assert (everywhere.accuracy, everywhere.balanced_accuracy, everywhere.constant) == (0.75, 0.5, 0.75)
    assert math.isnan(visibility_scores(np.ones(2, bool), np.ones(2, bool)).balanced_accuracy)
    assert math.isnan(visibility_scores(np.zeros(0, bool), np.zeros(0, bool)).accuracy)
