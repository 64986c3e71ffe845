from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sem3d.networks.batch_norm import GlobalBatchNorm, with_global_batch_norm
from tests.pair import Pair


def rows_of_all_workers(dims: int) -> list[Tensor]:
    """Uneven shares of one batch, the second empty for rows; far from zero, where naive sums of squares lose digits."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(7, 3), (0, 3)] if dims == 2 else [(2, 3, 4, 5), (1, 3, 4, 5)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) * 2 + 100 for shape in shapes]


def forward_backward(norm: GlobalBatchNorm, features: Tensor) -> dict[str, Tensor]:
    features = features.clone().requires_grad_()
    output = norm(features)
    (output.sin() * features).sum().backward()
    return {
        "output": output.detach(),
        "features": features.grad,
        "weight": norm.weight.grad,
        "bias": norm.bias.grad,
        "mean": norm.running_mean,
        "variance": norm.running_var,
    }


def new_norm() -> GlobalBatchNorm:
    norm = GlobalBatchNorm(3).double()
    nn.init.constant_(norm.weight, 1.5)
    nn.init.constant_(norm.bias, -0.25)
    return norm


def one_worker(rank: int, folder: str) -> None:
    results = [forward_backward(new_norm(), rows_of_all_workers(dims)[rank]) for dims in (2, 4)]
    torch.save(results, f"{folder}/{rank}.pt")


@pytest.mark.slow
def test_two_processes_with_uneven_rows_equal_one(pair: Pair, tmp_path: Path):
    pair(one_worker, str(tmp_path))
    workers = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for case, dims in enumerate((2, 4)):
        alone = forward_backward(new_norm(), torch.cat(rows_of_all_workers(dims)))
        parts = [worker[case] for worker in workers]
        for name in ("output", "features"):
            torch.testing.assert_close(torch.cat([part[name] for part in parts]), alone[name], rtol=1e-6, atol=1e-9)
        for name in ("weight", "bias"):
            torch.testing.assert_close(sum(part[name] for part in parts), alone[name], rtol=1e-6, atol=1e-9)
        for name in ("mean", "variance"):
            for part in parts:
                torch.testing.assert_close(part[name], alone[name], rtol=1e-6, atol=1e-9)


def test_one_worker_is_torch_batch_norm_in_training_and_evaluation():
    torch.manual_seed(0)
    features = torch.randn(4, 3, 5, 6)
    ours, theirs = GlobalBatchNorm(3, momentum=0.3), nn.BatchNorm2d(3, momentum=0.3)
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        torch.testing.assert_close(ours(features), theirs(features))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_momentum_may_change_between_steps_and_none_averages_all_batches():
    batches = [torch.full((2, 1), 1.0) + torch.tensor([[-1.0], [1.0]]), torch.full((2, 1), 5.0)]
    norm = GlobalBatchNorm(1, momentum=None)
    for batch in batches:
        norm(batch)
    torch.testing.assert_close(norm.running_mean, torch.tensor([3.0]))
    norm.momentum = 1.0
    norm(batches[1])
    torch.testing.assert_close(norm.running_mean, torch.tensor([5.0]))


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_rows_give_the_bias_and_keep_the_running_statistics(rows: int):
    norm = new_norm()
    features = torch.full((rows, 3), 4.0, dtype=torch.float64, requires_grad=True)
    output = norm(features)
    torch.testing.assert_close(output, torch.full((rows, 3), -0.25, dtype=torch.float64))
    output.sum().backward()
    assert torch.equal(features.grad, torch.zeros(rows, 3, dtype=torch.float64))
    assert torch.equal(norm.running_mean, torch.zeros(3, dtype=torch.float64))
    assert torch.equal(norm.running_var, torch.ones(3, dtype=torch.float64))
    assert norm.eval()(features).shape == (rows, 3)


def test_bfloat16_features_stay_bfloat16():
    assert GlobalBatchNorm(3)(torch.randn(8, 3).bfloat16()).dtype == torch.bfloat16
    assert GlobalBatchNorm(3)(torch.randn(1, 3).bfloat16()).dtype == torch.bfloat16


def test_a_network_keeps_its_parameters_when_its_norms_are_replaced():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4, eps=1e-3, momentum=0.2), nn.ReLU())
    ).eval()
    before = network.state_dict(keep_vars=True)
    parameters = list(network.parameters())
    replaced = with_global_batch_norm(network)
    assert replaced is network
    assert isinstance(network[1][0], GlobalBatchNorm)
    assert (network[1][0].eps, network[1][0].momentum, network[1][0].training) == (1e-3, 0.2, False)
    assert all(first is second for first, second in zip(parameters, network.parameters(), strict=True))
    assert list(before) == list(network.state_dict())
    assert isinstance(with_global_batch_norm(nn.BatchNorm1d(2)), GlobalBatchNorm)


def test_inputs_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected"):
        GlobalBatchNorm(3)(torch.zeros(2, 4))
