"""Images turned in their plane against plain loops, quarter turns, and themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.geometry.image_rotation import rotate_images
from tests.reference.image_rotation import rotate


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@given(degrees=st.integers(-400, 400), height=st.integers(1, 7), width=st.integers(1, 7))
@settings(deadline=None, max_examples=15)
def test_every_angle_and_size_equals_plain_loops(degrees, height, width):
    image = images(1, 2, height, width)
    expected = np.stack([rotate(channel.numpy(), degrees) for channel in image[0]])
    np.testing.assert_allclose(rotate_images(image, degrees)[0], expected, atol=1e-12)


@pytest.mark.parametrize("turns", range(-1, 5))
@pytest.mark.parametrize("size", [5, 64])
def test_quarter_turns_are_counter_clockwise_and_lose_nothing(turns, size):
    image = images(2, 4, size, size)
    torch.testing.assert_close(rotate_images(image, 90 * turns), torch.rot90(image, turns, (2, 3)))
    turned = rotate_images(image.float(), 90 * turns)
    torch.testing.assert_close(turned, torch.rot90(image.float(), turns, (2, 3)), rtol=0, atol=2e-5)


def test_what_comes_from_beyond_the_image_is_zero():
    turned = rotate_images(torch.ones(1, 1, 64, 64), 45)[0, 0]
    assert turned[0, 0] == turned[-1, -1] == turned[0, -1] == 0
    torch.testing.assert_close(turned[16:48, 16:48], torch.ones(32, 32))


def test_each_image_may_have_its_own_angle():
    batch, angles = images(3, 1, 6, 8), torch.tensor([0, 45, 200])
    alone = [rotate_images(image[None], angle) for image, angle in zip(batch, angles.tolist(), strict=True)]
    torch.testing.assert_close(rotate_images(batch, angles), torch.cat(alone))
    assert rotate_images(batch[:0], 45).shape == (0, 1, 6, 8)


def test_the_gradient_passes_gradcheck():
    assert torch.autograd.gradcheck(lambda image: rotate_images(image, 33), images(1, 1, 4, 5).requires_grad_())
