import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.geometry.object_camera import camera_from_object
from sem3d.geometry.viewpoint_bins import AZIMUTH, POLAR, angle_between
from tests.reference.viewpoint_bins import rotation, soft_labels, turn_between

ANGLES = torch.tensor([0.0, 0.05, 1.0, 3.1, math.pi, 4.0, 6.2, 2 * math.pi - 1e-6], dtype=torch.float64)


@pytest.mark.parametrize("bins", [AZIMUTH, POLAR])
def test_soft_labels_are_those_of_the_reference_and_add_up_to_one(bins):
    angles = ANGLES if bins.circular else ANGLES[:5]
    labels = bins.labels(angles, "soft")
    expected = [soft_labels(angle, bins.count, bins.circular) for angle in angles.tolist()]
    assert_close(labels, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)
    assert_close(labels.sum(-1), torch.ones(len(angles), dtype=torch.float64))


def test_just_before_a_whole_turn_is_the_bin_of_zero():
    assert AZIMUTH.nearest(torch.tensor([2 * math.pi - 0.05, 0.05, 2 * math.pi - 0.2])).tolist() == [0, 0, 23]
    assert AZIMUTH.labels(torch.tensor([2 * math.pi - 0.05]), "hard").argmax().item() == 0


def test_straight_above_and_below_are_the_outermost_bins():
    assert POLAR.nearest(torch.tensor([0.0, math.pi])).tolist() == [0, 11]


@pytest.mark.parametrize("bins", [AZIMUTH, POLAR])
def test_what_soft_labels_say_is_decoded_to_the_angle_itself(bins):
    angles = torch.linspace(0.2, 2.9, 20, dtype=torch.float64)
    logits = bins.labels(angles, "soft").clamp(min=1e-12).log()
    for kind in ("peak", "mean"):
        assert_close(bins.decoded(logits, kind), angles, atol=3e-3, rtol=0)
    assert (bins.decoded(logits, "bin") - angles).abs().max() <= bins.width / 2 + 1e-9


def test_the_mean_goes_astray_between_two_opposite_answers_and_the_peak_does_not():
    logits = torch.full((24,), -20.0)
    logits[3], logits[15] = 1.0, 0.8
    assert_close(AZIMUTH.decoded(logits, "peak"), torch.tensor(3 * AZIMUTH.width), atol=1e-4, rtol=0)


def test_rotations_and_the_angles_between_them_are_those_of_the_reference():
    rng = np.random.default_rng(0)
    views = np.column_stack([rng.uniform(0, 2 * np.pi, 20), rng.uniform(0.05, 3.0, 20)])
    for first, second in zip(views[:10], views[10:], strict=True):
        np.testing.assert_allclose(camera_from_object(*first, (0.0, 0.0, 2.0))[:3, :3], rotation(*first), atol=1e-12)
        found = angle_between(*(torch.tensor(value) for value in (*first, *second)))
        assert found.item() == pytest.approx(turn_between(rotation(*first), rotation(*second)))
