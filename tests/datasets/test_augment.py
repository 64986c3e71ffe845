"""Colour augmentation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torchvision.transforms.v2.functional import gaussian_blur

from sem3d.datasets.augment import ColorAugmentation, augment_color

OFF = ColorAugmentation(jitter_probability=0.0, gray_probability=0.0, blur_probability=0.0)


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_without_any_probability_the_image_is_unchanged():
    assert_array_equal(augment_color(image(), OFF, np.random.default_rng(1)), image())


def test_the_same_generator_gives_the_same_image_and_another_a_different_one():
    first, again, other = (
        augment_color(image(), ColorAugmentation(jitter_probability=1.0), np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert_array_equal(first, again)
    assert (first != other).any()


def test_gray_makes_the_three_channels_equal():
    config = ColorAugmentation(jitter_probability=0.0, gray_probability=1.0, blur_probability=0.0)
    gray = augment_color(image(), config, np.random.default_rng(1))
    assert_array_equal(gray[..., 0], gray[..., 2])


def test_blur_keeps_a_constant_image_and_moves_no_edge():
    config = ColorAugmentation(jitter_probability=0.0, gray_probability=0.0, blur_probability=1.0)
    step = np.zeros((20, 30, 3), np.uint8)
    step[:, 15:] = 200
    blurred = augment_color(step, config, np.random.default_rng(1)).astype(int)
    assert_array_equal(augment_color(np.full((20, 30, 3), 77, np.uint8), config, np.random.default_rng(1)), 77)
    assert np.abs(blurred[10, 14] + blurred[10, 15] - 200).max() <= 1


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.3, 2.0, 30.0])
def test_blur_is_that_of_the_whole_square_kernel_to_rounding(sigma: float):
    only = {"jitter_probability": 0.0, "gray_probability": 0.0, "blur_probability": 1.0}
    config = ColorAugmentation(**only, blur_sigma_low=sigma, blur_sigma_high=sigma)
    sharp = np.random.default_rng(2).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    found = augment_color(sharp, config, np.random.default_rng(1))
    whole = gaussian_blur(torch.from_numpy(sharp).permute(2, 0, 1), [13, 13], [sigma, sigma]).permute(1, 2, 0).numpy()
    apart = np.abs(found.astype(int) - whole)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3
