import math

import numpy as np
import pytest
import torch

from sem3d.losses.depth import depth_loss, sobel
from tests.reference.depth_loss import depth_loss as reference


def random_depths(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    target = 1 + 3 * torch.rand(2, 5, 6, generator=draw, dtype=torch.float64)
    target[torch.rand(2, 5, 6, generator=draw) < 0.3] = 0
    return target + torch.randn(2, 5, 6, generator=draw, dtype=torch.float64), target


def test_value_and_gradient_are_those_of_the_loops():
    predicted, target = random_depths()
    predicted.requires_grad_()
    loss = depth_loss(predicted, target)
    loss.backward()
    start = predicted.detach().numpy()
    assert loss.item() == pytest.approx(reference(start, target.numpy()), abs=1e-9)
    for index in [(0, 0, 0), (0, 2, 3), (1, 4, 5), (1, 3, 0)]:
        step = np.zeros_like(start)
        step[index] = 1e-6
        slope = (reference(start + step, target.numpy()) - reference(start - step, target.numpy())) / 2e-6
        assert predicted.grad[index].item() == pytest.approx(slope, abs=1e-5)


def test_gradcheck():
    predicted, target = random_depths(1)
    torch.autograd.gradcheck(lambda p: depth_loss(p, target), predicted.requires_grad_())


def test_a_perfect_prediction_costs_minus_log_two():
    _, target = random_depths()
    assert depth_loss(target, target).item() == pytest.approx(-math.log(2))


def test_a_constant_offset_inside_the_image_is_felt_by_depth_alone():
    target = torch.full((1, 7, 7), 2.0)
    target[:, [0, -1]] = 0
    target[:, :, [0, -1]] = 0
    predicted = target + 0.5
    expected = (math.log(1.0) + 2 * math.log(0.5)) / 3
    assert depth_loss(predicted, target).item() == pytest.approx(expected, abs=1e-6)


def test_sobel_of_a_ramp_is_eight_times_its_slope():
    ramp = torch.arange(6.0).expand(1, 5, 6).contiguous()
    along, across = sobel(ramp)
    torch.testing.assert_close(along[:, 1:-1, 1:-1], torch.full((1, 3, 4), -8.0))
    torch.testing.assert_close(across[:, 1:-1, 1:-1], torch.zeros(1, 3, 4))


def test_pixels_without_depth_neither_cost_nor_pull_where_no_neighbour_has_depth():
    predicted, target = random_depths()
    target[0, :, 3:] = 0
    predicted.requires_grad_()
    depth_loss(predicted, target).backward()
    assert predicted.grad[0, :, 4:].abs().max() == 0


def test_images_are_averaged_so_that_two_workers_equal_one():
    predicted, target = random_depths()
    target[0, 1:] = 0
    apart = [depth_loss(predicted[i : i + 1], target[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(depth_loss(predicted, target), (apart[0] + apart[1]) / 2)


def test_images_without_depth_give_a_zero_with_a_graph():
    predicted = torch.randn(2, 4, 4).requires_grad_()
    loss = depth_loss(predicted, torch.zeros(2, 4, 4))
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(predicted.grad, torch.zeros(2, 4, 4))
