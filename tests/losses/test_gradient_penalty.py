import numpy as np
import torch
from torch.testing import assert_close

from sem3d.losses.gradient_penalty import critic_costs, gradient_penalty
from sem3d.networks.voxel_networks import ShapeCritic
from tests.reference.gradient_penalty import critic, penalty


def drawn():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.random(4), rng.normal(size=(5, 3)), rng.normal(size=5)


def test_the_penalty_is_that_of_the_written_out_gradient():
    real, fake, mix, first, second = drawn()
    weights = torch.tensor(first), torch.tensor(second)

    def network(x):
        return torch.tanh(x @ weights[0].T) @ weights[1]

    found = gradient_penalty(network, torch.tensor(real), torch.tensor(fake), torch.tensor(mix))
    assert_close(found, torch.tensor(penalty(real, fake, mix, first, second), dtype=torch.float64))
    gap, cost = critic_costs(network, torch.tensor(real), torch.tensor(fake), torch.tensor(mix), 10.0)
    expected = [critic(b, first, second) - critic(a, first, second) for a, b in zip(real, fake, strict=True)]
    assert_close(gap, torch.tensor(expected, dtype=torch.float64))
    assert_close(cost, 10 * found)


def test_a_linear_critic_of_slope_one_costs_nothing_and_of_slope_three_four():
    real, fake, mix = torch.zeros(2, 4), torch.ones(2, 4), torch.rand(2)
    for slope, cost in ((1.0, 0.0), (3.0, 4.0)):
        found = gradient_penalty(lambda x, slope=slope: slope * x[:, 0], real, fake, mix)
        assert_close(found, torch.full((2,), cost))


def test_the_gradient_of_the_penalty_by_the_critics_weights_is_that_of_differences():
    real, fake, mix, first, second = (torch.tensor(value) for value in drawn())

    def cost(first, second):
        return gradient_penalty(lambda x: torch.tanh(x @ first.T) @ second, real, fake, mix).sum()

    assert torch.autograd.gradcheck(cost, (first.requires_grad_(), second.requires_grad_()))


def test_the_penalty_reaches_the_critic_of_shapes_and_is_measured_without_gradients_too():
    network = ShapeCritic(2, 8)
    real, fake, mix = torch.rand(2, 8, 8, 8), torch.rand(2, 8, 8, 8), torch.rand(2)
    found = gradient_penalty(network, real, fake, mix)
    found.sum().backward()
    assert all(value.grad is not None for name, value in network.named_parameters() if name.endswith("weight"))
    with torch.no_grad():
        assert_close(gradient_penalty(network, real, fake, mix), found.detach())
