"""SiamVP: sizes, similarity of all pairs against plain loops, its gradient, and its memory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sem3d.networks import pair_differences as kernel
from sem3d.networks.pair_differences import pair_differences
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, SiameseViewpointConfig
from tests.reference import viewpoint_pairs as reference

SMALL = SiameseViewpointConfig(width=2, dim=6)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class LargestTensor(TorchDispatchMode):
    """Numbers in the largest tensor any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        self.numbers = max([self.numbers, *(part.numel() for part in tree_leaves(made) if torch.is_tensor(part))])
        return made


def test_sizes_are_the_released_ones():
    with torch.device("meta"):
        koch = SiameseViewpoint(SiameseViewpointConfig(initial="default"))
        other = SiameseViewpoint(SiameseViewpointConfig(trunk="shape_encoder", initial="default"))
    assert [tuple(p.shape) for p in koch.parameters() if p.dim() > 1] == [
        (64, 3, 10, 10),
        (128, 64, 7, 7),
        (128, 128, 4, 4),
        (4096, 6272),
        (1, 4096),
    ]
    assert (other.trunk.dim, other.dim) == (512, 512)


@pytest.mark.parametrize("trunk", ["koch", "shape_encoder"])
def test_features_lie_between_0_and_1_and_gradients_reach_every_parameter(trunk):
    torch.manual_seed(0)
    network = SiameseViewpoint(SiameseViewpointConfig(trunk=trunk, width=2, dim=6))
    features = network(torch.rand(4, 4, 64, 64))
    assert features.shape == (4, 6)
    assert ((features > 0) & (features < 1)).all()
    network.similarity(features, features).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_the_first_weights_are_kaiming_s_or_pytorch_s_own():
    torch.manual_seed(0)
    kaiming = SiameseViewpoint(SiameseViewpointConfig(width=8, dim=64))
    default = SiameseViewpoint(SiameseViewpointConfig(width=8, dim=64, initial="default"))
    spread = (2 / kaiming.trunk.dim) ** 0.5
    assert kaiming.linear.weight.detach().std() == pytest.approx(spread, rel=0.05)
    assert not kaiming.linear.bias.any()
    assert default.linear.weight.detach().std() == pytest.approx(spread / 6**0.5, rel=0.05)


def test_koch_s_trunk_does_not_see_alpha():
    network = SiameseViewpoint(SMALL)
    images = torch.rand(2, 4, 64, 64)
    hidden = images * torch.tensor([1.0, 1, 1, 0])[:, None, None]
    torch.testing.assert_close(network(images), network(hidden))


def test_similarity_is_the_head_of_the_absolute_difference_and_symmetric():
    network = SiameseViewpoint(SMALL).double()
    torch.nn.init.constant_(network.head.bias, 0.3)
    left, right = random(5, 6), random(3, 6, seed=1)
    similarity = network.similarity(left, right)
    torch.testing.assert_close(similarity, network.head((left[:, None] - right).abs())[..., 0])
    torch.testing.assert_close(network.similarity(right, left), similarity.T)
    torch.testing.assert_close(network.similarity(left, left).diagonal(), torch.full((5,), 0.3, dtype=torch.float64))


@pytest.mark.parametrize("numbers", [1, 40, 1 << 19])
@pytest.mark.parametrize(("left", "right"), [(1, 1), (20, 7), (3, 50), (0, 4), (4, 0)])
def test_pair_differences_equal_plain_loops_for_every_size_of_tile(left, right, numbers, monkeypatch):
    monkeypatch.setattr(kernel, "_NUMBERS_ON_CPU", numbers)
    rows, others, weight = random(left, 5), random(right, 5, seed=1), random(5, seed=2)
    expected = torch.from_numpy(reference.pair_differences(rows.numpy(), others.numpy(), weight.numpy()))
    torch.testing.assert_close(pair_differences(rows, others, weight), expected)


@pytest.mark.parametrize("numbers", [1, 12, 1 << 19])
def test_the_gradient_of_pair_differences_passes_gradcheck(numbers, monkeypatch):
    monkeypatch.setattr(kernel, "_NUMBERS_ON_CPU", numbers)
    inputs = [random(4, 3), random(5, 3, seed=1), random(3, seed=2)]
    assert torch.autograd.gradcheck(pair_differences, [tensor.requires_grad_() for tensor in inputs])


def test_a_sparse_gradient_equals_that_of_the_plain_expression():
    left, right, weight = (
        tensor.requires_grad_() for tensor in (random(6, 4), random(7, 4, seed=1), random(4, seed=2))
    )
    upstream = random(6, 7, seed=3) * (random(6, 7, seed=4) > 1)
    ours = torch.autograd.grad(pair_differences(left, right, weight), (left, right, weight), upstream)
    plain = torch.autograd.grad((left[:, None] - right).abs() @ weight, (left, right, weight), upstream)
    torch.testing.assert_close(ours, plain)


def test_equal_rows_have_no_slope_and_a_nan_does_not_vanish():
    rows = random(3, 4).requires_grad_()
    pair_differences(rows, rows, torch.ones(4, dtype=torch.float64)).diagonal().sum().backward()
    assert not rows.grad.any()
    difference = pair_differences(rows.detach() * float("nan"), rows.detach(), torch.ones(4, dtype=torch.float64))
    assert difference.isnan().all()


def test_neither_direction_makes_a_tensor_of_pairs_by_numbers():
    left, right = torch.rand(24, 512), torch.rand(240, 512).requires_grad_()
    weight = torch.randn(512, requires_grad=True)
    with LargestTensor() as largest:
        pair_differences(left, right, weight).square().sum().backward()
    assert 0 < largest.numbers <= 1 << 19 < 24 * 240 * 512


def test_half_precision_is_computed_in_float32():
    left, weight = torch.rand(3, 8, dtype=torch.bfloat16), torch.randn(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        difference = pair_differences(left, left, weight)
    torch.testing.assert_close(difference, (left[:, None].float() - left.float()).abs() @ weight)
